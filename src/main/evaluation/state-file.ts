/**
 * What an evaluation has done so far, in a file: a first line that says what it is, then records of length, checksum and contents.
 * The first record is the request and the sums up to a window; each pass behind it is appended. A record that a kill cut short is
 * read over, and a new window writes the file anew under another name first: so a kill loses the pass that ran, and nothing else.
 */
import fs from 'node:fs/promises'
import v8 from 'node:v8'
import { crc32 } from 'node:zlib'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { readSmall, whyUnreadable } from '../checkpoint/open-file.ts'
import { removeLeftovers, underAnotherName } from '../corpus/unfinished-files.ts'
import { type EvaluatedPass, evaluatedPass } from '../inference/evaluation-messages.ts'
import { type EvaluationState, evaluationState } from './evaluation-state.ts'

/** Sums of an SAE of a million features, and a window's passes, take less. */
const mostBytes = 1024 ** 3

const firstLine = Buffer.from('splice evaluation 1\n')

/** What was asked, by the words that a person knows; another value anywhere is another evaluation. */
export type Fingerprint = Readonly<Record<string, string>>

const start = z.object({ fingerprint: z.record(z.string(), z.string()), state: evaluationState })

/** What a state file held: the sums up to a window, and the passes of the window that are done. */
export interface Resumed {
  readonly state: EvaluationState
  readonly passes: readonly EvaluatedPass[]
}

function encode(value: unknown): Buffer {
  const payload = v8.serialize(value)
  const head = Buffer.alloc(8)
  head.writeUInt32LE(payload.length, 0)
  head.writeUInt32LE(crc32(payload), 4)
  return Buffer.concat([head, payload])
}

/** The whole records of a file, and where they end. */
function decode(bytes: Buffer): { records: unknown[]; end: number } {
  const records: unknown[] = []
  let at = firstLine.length
  while (at + 8 <= bytes.length) {
    const end = at + 8 + bytes.readUInt32LE(at)
    const payload = bytes.subarray(at + 8, end)
    if (end > bytes.length || crc32(payload) !== bytes.readUInt32LE(at + 4)) break
    records.push(deserialized(payload))
    at = end
  }
  return { records, end: at }
}

/** A record's value; null where its bytes, whole as they are, are none of this Node's. */
function deserialized(payload: Buffer): unknown {
  try {
    return v8.deserialize(payload)
  } catch {
    return null
  }
}

function failure(file: string, thrown: unknown): SpliceError {
  return new SpliceError('evaluation/state', `${file} cannot be written (${thrown instanceof Error ? thrown.message : String(thrown)})`, {
    file,
    field: 'resume',
    hint: 'Name a file in a folder that exists and has room.',
    cause: thrown
  })
}

export class StateFile {
  readonly #file: string
  readonly #fingerprint: Fingerprint
  #handle: fs.FileHandle | null = null
  /** How many bytes of the file count. */
  #end = 0

  private constructor(file: string, fingerprint: Fingerprint) {
    this.#file = file
    this.#fingerprint = fingerprint
  }

  /**
   * Opens a state file and gives what it holds; null where it is not there yet. Throws `evaluation/state` where the file is something
   * else or cannot be read, `evaluation/other-state` where it belongs to another evaluation, saying in what.
   */
  static async open(file: string, fingerprint: Fingerprint): Promise<{ stateFile: StateFile; resumed: Resumed | null }> {
    const stateFile = new StateFile(file, fingerprint)
    await removeLeftovers(file)
    const bytes = await readIfThere(file)
    if (bytes === null || bytes.length === 0) return { stateFile, resumed: null }
    return { stateFile, resumed: await stateFile.#take(bytes) }
  }

  async #take(bytes: Buffer): Promise<Resumed> {
    const refuse = (problem: string): never => {
      throw new SpliceError('evaluation/state', `${this.#file} ${problem}`, {
        file: this.#file,
        field: 'resume',
        hint: 'Name another file, or take this one away to begin anew.'
      })
    }
    if (!bytes.subarray(0, firstLine.length).equals(firstLine)) return refuse('is no state of an evaluation')
    const { records, end } = decode(bytes)
    const begun = start.safeParse(records[0])
    const passes = z.array(evaluatedPass).safeParse(records.slice(1))
    if (!begun.success || !passes.success) return refuse('is a broken state of an evaluation')
    this.#compare(begun.data.fingerprint)
    try {
      this.#handle = await fs.open(this.#file, 'r+')
      await this.#handle.truncate(end)
    } catch (thrown) {
      throw failure(this.#file, thrown)
    }
    this.#end = end
    return { state: begun.data.state, passes: passes.data }
  }

  #compare(other: Fingerprint): void {
    const names = [...new Set([...Object.keys(this.#fingerprint), ...Object.keys(other)])]
    const name = names.find(candidate => this.#fingerprint[candidate] !== other[candidate])
    if (name === undefined) return
    const [was = 'nothing', is = 'nothing'] = [other[name], this.#fingerprint[name]]
    throw new SpliceError('evaluation/other-state', `${this.#file} belongs to another evaluation: ${name} was ${was}, and now is ${is}`, {
      file: this.#file,
      field: 'resume',
      hint: 'Ask for the same evaluation to go on with it, or name another file.'
    })
  }

  /** Writes the sums up to a window, in place of everything before. Throws `evaluation/state`. */
  async write(state: EvaluationState): Promise<void> {
    const bytes = Buffer.concat([firstLine, encode({ fingerprint: this.#fingerprint, state })])
    try {
      await underAnotherName(this.#file, async part => {
        const handle = await fs.open(part, 'w+')
        try {
          await handle.writeFile(bytes)
          await handle.sync()
          await fs.rename(part, this.#file)
        } catch (thrown) {
          await handle.close()
          throw thrown
        }
        await this.#handle?.close()
        this.#handle = handle
        this.#end = bytes.length
      })
    } catch (thrown) {
      throw failure(this.#file, thrown)
    }
  }

  /** Appends a pass that is done. Throws `evaluation/state`. */
  async append(pass: EvaluatedPass): Promise<void> {
    const bytes = encode(pass)
    try {
      await this.#handle?.write(bytes, 0, bytes.length, this.#end)
      await this.#handle?.datasync()
      this.#end += bytes.length
    } catch (thrown) {
      throw failure(this.#file, thrown)
    }
  }

  async close(): Promise<void> {
    await this.#handle?.close()
    this.#handle = null
  }
}

async function readIfThere(file: string): Promise<Buffer | null> {
  try {
    return await readSmall(file, mostBytes)
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return null
    throw new SpliceError('evaluation/state', `${file} ${whyUnreadable(thrown)}`, { file, field: 'resume', hint: 'Name another file.' })
  }
}
