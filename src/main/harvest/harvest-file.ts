/**
 * A harvest in a file: a first line that says what it is, then records of length, checksum, kind and contents. First come what was
 * asked and counted up to a pass, then the passes behind it as they end. A pass that a kill cut short is read over; when those behind
 * outgrow what was counted, the file is written anew under another name first. So a kill loses the passes that ran, and nothing else.
 */
import fs from 'node:fs/promises'
import path from 'node:path'
import v8 from 'node:v8'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { whyUnreadable } from '../checkpoint/open-file.ts'
import { removeLeftovers, underAnotherName } from '../corpus/unfinished-files.ts'
import { sparseReading } from '../inference/harvest-messages.ts'
import { type HarvestFacts, type HarvestHead, type HarvestState, harvestHead, harvestState, type Words } from './harvest-head.ts'
import { SaeTally } from './sae-tally.ts'
import { type RecordedTally, readTallyRecord, tallyRecords } from './tally-records.ts'

const firstLine = Buffer.from('splice harvest 1\n')
const headBytes = 9
/** No record is larger. */
const mostRecordBytes = 2 ** 30

const kinds = { head: 1, tally: 2, texts: 3, end: 4, pass: 5 } as const

/** A pass that is done: its text, what the SAEs said of it, and how far the harvest is with it. */
export const passRecord = z
  .object({
    ids: z.custom<Int32Array>(value => value instanceof Int32Array),
    length: z.int().positive(),
    lengths: z.array(z.int().nonnegative()),
    numbers: z.array(z.int()),
    saes: z.array(sparseReading),
    state: harvestState
  })
  .refine(
    ({ ids, length, lengths, numbers, saes }) =>
      lengths.length * length === ids.length &&
      numbers.length === lengths.length &&
      lengths.every(own => own <= length) &&
      saes.every(({ places, values }) => places.length === values.length)
  )
export type PassRecord = z.infer<typeof passRecord>

const tokenTexts = z.array(z.tuple([z.int(), z.string()]))

/** What a file says, record by record; `texts` are those of the token ids in its examples. */
type FileRecord =
  | { readonly kind: 'head'; readonly head: HarvestHead }
  | { readonly kind: 'tally'; readonly features: readonly RecordedTally[] }
  | { readonly kind: 'texts'; readonly texts: [number, string][] }
  | { readonly kind: 'end'; readonly end: number }
  | { readonly kind: 'pass'; readonly pass: PassRecord; readonly end: number }

function broken(file: string): SpliceError {
  return new SpliceError('harvest/broken', `${file} is a broken harvest`, {
    file,
    hint: 'Take it away and harvest its text again.'
  })
}

/** The error for a file that cannot be written. */
export function notWritten(file: string, thrown: unknown): SpliceError {
  return new SpliceError(
    'harvest/not-written',
    `${file} cannot be written (${thrown instanceof Error ? thrown.message : String(thrown)})`,
    {
      file,
      hint: 'Name a file in a folder that exists and has room.',
      cause: thrown
    }
  )
}

function decode(kind: number, payload: Buffer, end: number): FileRecord {
  switch (kind) {
    case kinds.head:
      return { kind: 'head', head: harvestHead.parse(JSON.parse(payload.toString('utf8'))) }
    case kinds.tally:
      return { kind: 'tally', features: [...readTallyRecord(payload)] }
    case kinds.texts:
      return { kind: 'texts', texts: tokenTexts.parse(JSON.parse(payload.toString('utf8'))) }
    case kinds.end:
      return { kind: 'end', end }
    case kinds.pass:
      return { kind: 'pass', pass: passRecord.parse(v8.deserialize(payload)), end }
    default:
      throw new Error(`no record is of kind ${kind}`)
  }
}

/** Opens a file to read it. Throws `file/unreadable` where it is none. */
async function openRegular(file: string): Promise<fs.FileHandle> {
  const unreadable = (why: string) => new SpliceError('file/unreadable', `${file} ${why}`, { file, hint: 'Check the path.' })
  try {
    // A pipe would wait for whoever writes it.
    if ((await fs.stat(file)).isFile()) return await fs.open(file, 'r')
  } catch (thrown) {
    throw unreadable(whyUnreadable(thrown))
  }
  throw unreadable('is not a file')
}

/** The records of a file. What a kill cut short behind the last whole one is read over. Throws `harvest/...`, `file/unreadable`. */
export async function* harvestRecords(file: string): AsyncGenerator<FileRecord, void> {
  const handle = await openRegular(file)
  try {
    const { size } = await handle.stat()
    const read = async (at: number, length: number) => (await handle.read(Buffer.alloc(length), 0, length, at)).buffer
    if (!(await read(0, firstLine.length)).equals(firstLine)) {
      throw new SpliceError('harvest/not-one', `${file} is no harvest`, { file, hint: 'Name a file that splice harvest wrote.' })
    }
    let at = firstLine.length
    let isCounted = false
    while (at < size) {
      const head = at + headBytes <= size ? await read(at, headBytes) : null
      const length = head?.readUInt32LE(0) ?? 0
      const end = at + headBytes + length
      const payload = head === null || length > mostRecordBytes || end > size ? null : await read(at + headBytes, length)
      const isWhole = payload !== null && crc32(payload) === head?.readUInt32LE(4)
      if (!isWhole && isCounted) return
      if (!isWhole) throw broken(file)
      const record = decode(head?.readUInt8(8) ?? 0, payload, end)
      yield record
      if (record.kind === 'end') isCounted = true
      at = end
    }
    if (!isCounted) throw broken(file)
  } catch (thrown) {
    if (thrown instanceof SpliceError) throw thrown
    if (thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' && /^E[A-Z]+$/.test(thrown.code)) {
      throw new SpliceError('file/unreadable', `${file} ${whyUnreadable(thrown)}`, { file, hint: 'Check the path.' })
    }
    throw broken(file)
  } finally {
    await handle.close()
  }
}

/** What a file says first. Throws as `harvestRecords`. */
async function readFirst(file: string): Promise<HarvestHead> {
  for await (const record of harvestRecords(file)) {
    if (record.kind === 'head') return record.head
    break
  }
  throw broken(file)
}

/** What a harvest is, and how far it is with the passes behind what was counted; these alone are looked at. Throws as `harvestRecords`. */
export async function readHead(file: string): Promise<HarvestHead> {
  const { facts, state } = await readFirst(file)
  const handle = await fs.open(file, 'r')
  try {
    const { size } = await handle.stat()
    const read = async (at: number, length: number) => (await handle.read(Buffer.alloc(length), 0, length, at)).buffer
    let last: { at: number; head: Buffer } | null = null
    for (let at = firstLine.length; at + headBytes <= size; ) {
      const head = await read(at, headBytes)
      const end = at + headBytes + head.readUInt32LE(0)
      if (end <= size && head.readUInt8(8) === kinds.pass) last = { at, head }
      at = end
    }
    if (last === null) return { facts, state }
    const payload = await read(last.at + headBytes, last.head.readUInt32LE(0))
    if (crc32(payload) !== last.head.readUInt32LE(4)) return { facts, state }
    return { facts, state: passRecord.parse(v8.deserialize(payload)).state }
  } finally {
    await handle.close()
  }
}

/** Tallies for a harvest's SAEs, with nothing in them. */
export function emptyTallies({ saes, shape }: Pick<HarvestFacts, 'saes' | 'shape'>): SaeTally[] {
  return saes.map(({ features }) => new SaeTally(features, shape))
}

/** Adds a recorded feature to its tally. Throws `harvest/broken` where there is no such feature. */
export function absorb(file: string, tallies: readonly SaeTally[], { sae, feature, tally }: RecordedTally): void {
  const own = tallies[sae]
  const { top, perInterval } = own?.shape ?? { top: 0, perInterval: 0 }
  const fits =
    own !== undefined && feature < own.features && tally.top.length <= top && tally.intervals.every(group => group.length <= perInterval)
  if (!fits) throw broken(file)
  own.absorb(feature, tally)
}

function encode(kind: keyof typeof kinds, payload: Buffer): Buffer {
  const head = Buffer.alloc(headBytes)
  head.writeUInt32LE(payload.length, 0)
  head.writeUInt32LE(crc32(payload), 4)
  head.writeUInt8(kinds[kind], 8)
  return Buffer.concat([head, payload])
}

/** What goes into a file; `texts` are those of token ids in examples, once a harvest is whole. */
export interface HarvestContents {
  readonly head: HarvestHead
  readonly tallies: readonly SaeTally[]
  readonly texts: readonly (readonly [number, string])[]
}

/** A harvest's file while it grows. */
export class HarvestFile {
  readonly file: string
  readonly #leastJournal: number
  #handle: fs.FileHandle | null = null
  /** How many bytes of the file count, and how many of them hold what was counted. */
  #end = 0
  #countedBytes = 0
  #syncedAt = 0

  /** `leastJournal` bytes of passes are never worth counting anew. */
  constructor(file: string, leastJournal = usualJournal) {
    this.file = file
    this.#leastJournal = leastJournal
  }

  /** Opens a file that is there, to go on behind `end`, where its last whole record ends. Throws `harvest/not-written`. */
  async goOnBehind(end: number, countedBytes: number): Promise<void> {
    try {
      this.#handle = await fs.open(this.file, 'r+')
      await this.#handle.truncate(end)
    } catch (thrown) {
      throw notWritten(this.file, thrown)
    }
    this.#end = end
    this.#countedBytes = countedBytes
  }

  /** Whether passes behind what was counted take so much room that counting anew is worth it. */
  get isLong(): boolean {
    return this.#end - this.#countedBytes > Math.max(this.#leastJournal, 2 * this.#countedBytes)
  }

  /** Writes what is counted, in place of everything before. Nothing may be counted meanwhile. Throws `harvest/not-written`. */
  async write({ head, tallies, texts }: HarvestContents): Promise<void> {
    try {
      await fs.mkdir(path.dirname(this.file), { recursive: true })
      await underAnotherName(this.file, async part => {
        const handle = await fs.open(part, 'w+')
        let size = 0
        const append = async (bytes: Buffer) => {
          await handle.write(bytes, 0, bytes.length, size)
          size += bytes.length
        }
        try {
          await append(firstLine)
          await append(encode('head', Buffer.from(JSON.stringify(head))))
          for (const [sae, tally] of tallies.entries()) for (const bytes of tallyRecords(sae, tally)) await append(encode('tally', bytes))
          await append(encode('texts', Buffer.from(JSON.stringify(texts))))
          await append(encode('end', Buffer.alloc(0)))
          await handle.sync()
          await fs.rename(part, this.file)
        } catch (thrown) {
          await handle.close()
          throw thrown
        }
        await this.#handle?.close()
        this.#handle = handle
        this.#end = size
        this.#countedBytes = size
      })
    } catch (thrown) {
      throw notWritten(this.file, thrown)
    }
  }

  /** Appends a pass that is done: from here on a kill does not lose it, and within a second no loss of power. Throws `harvest/not-written`. */
  async append(pass: PassRecord): Promise<void> {
    const bytes = encode('pass', v8.serialize(pass))
    try {
      await this.#handle?.write(bytes, 0, bytes.length, this.#end)
      this.#end += bytes.length
      if (performance.now() - this.#syncedAt < syncInterval) return
      await this.#handle?.datasync()
      this.#syncedAt = performance.now()
    } catch (thrown) {
      throw notWritten(this.file, thrown)
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close()
    this.#handle = null
  }
}

const usualJournal = 2 ** 26
/** How often what was appended is sent to the disk, in ms. */
const syncInterval = 1000

/** What `words` differ in: the first of them, as a sentence. */
export function differenceOf(asked: Words, kept: Words): string | null {
  const name = [...new Set([...Object.keys(asked), ...Object.keys(kept)])].find(word => asked[word] !== kept[word])
  if (name === undefined) return null
  const [was = 'nothing', is = 'nothing'] = [kept[name], asked[name]]
  return `${name} was ${was}, and now is ${is}`
}

/** Throws `harvest/other-state` where a file belongs to another harvest than the one asked for, saying in what. */
export function requireSame(file: string, asked: Words, { facts }: HarvestHead): void {
  const difference = differenceOf(asked, facts.asked)
  if (difference === null) return
  throw new SpliceError('harvest/other-state', `${file} belongs to another harvest: ${difference}`, {
    file,
    hint: 'Put back what was changed to go on with it, or begin anew (--anew).'
  })
}

/** Throws `harvest/broken` for a pass that names what is not there. */
function checkPass(file: string, tallies: readonly SaeTally[], { ids, saes }: PassRecord): void {
  const fits =
    saes.length === tallies.length &&
    saes.every(({ places }, at) => places.every(place => place >= 0 && place < ids.length * (tallies[at]?.features ?? 0)))
  if (!fits) throw broken(file)
}

/** A harvest that was kept: what it holds is in `tallies`, passes behind what was counted are given to `replay`. */
export async function resumeHarvest(
  file: string,
  facts: Pick<HarvestFacts, 'asked' | 'saes' | 'shape'>,
  replay: (tallies: readonly SaeTally[], pass: PassRecord) => void,
  leastJournal?: number
): Promise<{ head: HarvestHead; tallies: SaeTally[]; harvestFile: HarvestFile }> {
  const heads: HarvestHead[] = []
  let tallies: SaeTally[] = []
  let state: HarvestState | null = null
  let [end, countedBytes] = [0, 0]
  await removeLeftovers(file)
  for await (const record of harvestRecords(file)) {
    if (record.kind === 'head') {
      const { head } = record
      heads.push(head)
      requireSame(file, facts.asked, head)
      tallies = emptyTallies(facts)
    } else if (heads.length === 0) throw broken(file)
    else if (record.kind === 'end') {
      end = record.end
      countedBytes = record.end
    } else if (record.kind === 'tally') for (const one of record.features) absorb(file, tallies, one)
    else if (record.kind === 'pass') {
      checkPass(file, tallies, record.pass)
      replay(tallies, record.pass)
      state = record.pass.state
      end = record.end
    }
  }
  const [head] = heads
  if (head === undefined) throw broken(file)
  const harvestFile = new HarvestFile(file, leastJournal)
  await harvestFile.goOnBehind(end, countedBytes)
  return { head: { ...head, state: state ?? head.state }, tallies, harvestFile }
}
