/**
 * Documents of a text file, streamed: one per line, or the `text` of one JSON object per line. A long document comes in pieces,
 * since tokenizers slow down with the square of a text's length, and no line has to fit into memory.
 */
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { readBytes } from './file-bytes.ts'

/** Most bytes of a piece, and of a line of JSON. */
const pieceBytes = 8192
const mostJsonBytes = 2 ** 26

/** Where a piece stands: its line's first byte and number (from 1), and its place among the line's pieces. */
export interface PiecePlace {
  readonly offset: number
  readonly line: number
  readonly piece: number
}

/** A part of a document's text. `readTo` is how far into the file it reaches, in bytes. */
export interface Piece extends PiecePlace {
  readonly text: string
  /** Whether it was cut before a space, which then begins it. */
  readonly followsCut: boolean
  readonly endsDocument: boolean
  readonly readTo: number
}

const [space, lineFeed, carriageReturn] = [0x20, 0x0a, 0x0d]

/**
 * Where a line of more than `pieceBytes` bytes is cut: before the last single space between words, else between two characters.
 * It depends on the line's next bytes alone, so that reading again cuts at the same places.
 */
function cutOf(bytes: Buffer): { at: number; isBeforeSpace: boolean } {
  const isWord = (at: number) => (bytes[at] ?? 0) > space
  for (let at = pieceBytes - 1; at > 0; at--) {
    if (bytes[at] === space && isWord(at - 1) && isWord(at + 1)) return { at, isBeforeSpace: true }
  }
  let at = pieceBytes
  while (at > pieceBytes - 3 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at--
  return { at, isBeforeSpace: false }
}

/** A byte order mark is read over at a file's beginning alone. Throws where the bytes are no UTF-8. */
function decodeUtf8(bytes: Buffer, beginsFile: boolean): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: !beginsFile }).decode(bytes)
}

/** What a line, or the text of one, is cut into. */
class LineCutter {
  readonly #file: string
  readonly #offset: number
  readonly #line: number
  #piece = 0
  #followsCut = false

  constructor(file: string, offset: number, line: number) {
    this.#file = file
    this.#offset = offset
    this.#line = line
  }

  /** The piece that `bytes` begin with, where more than a piece of the line is there, and how many bytes it takes. */
  take(bytes: Buffer, readTo: number): { piece: Piece; length: number } | null {
    if (bytes.length <= pieceBytes) return null
    const { at, isBeforeSpace } = cutOf(bytes)
    const piece = this.#pieceOf(bytes.subarray(0, at), false, readTo)
    this.#followsCut = isBeforeSpace
    return { piece, length: at }
  }

  /** All that is left of the line. */
  *end(bytes: Buffer, readTo: number): Generator<Piece, void> {
    let rest = bytes
    for (;;) {
      const taken = this.take(rest, readTo)
      if (taken === null) break
      yield taken.piece
      rest = rest.subarray(taken.length)
    }
    yield this.#pieceOf(rest, true, readTo)
  }

  #pieceOf(bytes: Buffer, endsDocument: boolean, readTo: number): Piece {
    let text: string
    try {
      text = decodeUtf8(bytes, this.#offset === 0 && this.#piece === 0)
    } catch {
      throw new SpliceError('corpus/not-utf8', `${this.#file} is not UTF-8 in line ${this.#line}`, {
        file: this.#file,
        hint: 'Convert it to UTF-8, e.g. with iconv.'
      })
    }
    const place = { offset: this.#offset, line: this.#line, piece: this.#piece }
    this.#piece += 1
    return { ...place, text, followsCut: this.#followsCut, endsDocument, readTo }
  }
}

function withoutReturn(bytes: Buffer): Buffer {
  return bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes
}

/** The pieces of a file's lines, from the line that begins at byte `offset` on. Throws `corpus/not-utf8`, `file/unreadable`. */
export async function* linePieces(file: string, { offset, line }: Pick<PiecePlace, 'offset' | 'line'>): AsyncGenerator<Piece, void> {
  let pending: Buffer = Buffer.alloc(0)
  let lineAt = offset
  let lineNumber = line
  let cutter = new LineCutter(file, lineAt, lineNumber)
  let readTo = offset
  for await (const chunk of readBytes(file, offset)) {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    for (;;) {
      const end = pending.indexOf(lineFeed)
      if (end !== -1) {
        readTo += end + 1
        yield* cutter.end(withoutReturn(pending.subarray(0, end)), readTo)
        pending = pending.subarray(end + 1)
        lineAt = readTo
        lineNumber += 1
        cutter = new LineCutter(file, lineAt, lineNumber)
        continue
      }
      const taken = cutter.take(pending, readTo + pieceBytes)
      if (taken === null) break
      readTo += taken.length
      yield taken.piece
      pending = pending.subarray(taken.length)
    }
  }
  if (pending.length > 0 || readTo > lineAt) yield* cutter.end(withoutReturn(pending), readTo + pending.length)
}

const jsonLine = z.object({ text: z.string() })

function refuseLine(file: string, line: number, problem: string): never {
  throw new SpliceError('corpus/json-line', `line ${line} of ${file} ${problem}`, {
    file,
    hint: 'Each line has to be a JSON object whose "text" is a text.'
  })
}

function textOf(file: string, line: number, bytes: Buffer): string {
  let value: unknown
  try {
    value = JSON.parse(decodeUtf8(bytes, line === 1))
  } catch {
    return refuseLine(file, line, 'is not JSON in UTF-8')
  }
  const parsed = jsonLine.safeParse(value)
  return parsed.success ? parsed.data.text : refuseLine(file, line, 'has no "text"')
}

/** The pieces of the texts of a file of JSON lines, as `linePieces`. Throws `corpus/json-line` naming the line. */
export async function* jsonLinePieces(file: string, { offset, line }: Pick<PiecePlace, 'offset' | 'line'>): AsyncGenerator<Piece, void> {
  let parts: Buffer[] = []
  let held = 0
  let lineAt = offset
  let lineNumber = line
  function* end(next: number): Generator<Piece, void> {
    const bytes = Buffer.concat(parts)
    if (bytes.toString('latin1').trim() !== '') {
      yield* new LineCutter(file, lineAt, lineNumber).end(Buffer.from(textOf(file, lineNumber, bytes)), next)
    }
    parts = []
    held = 0
    lineAt = next
    lineNumber += 1
  }
  for await (const chunk of readBytes(file, offset)) {
    let rest = chunk
    for (let feed = rest.indexOf(lineFeed); feed !== -1; feed = rest.indexOf(lineFeed)) {
      parts.push(rest.subarray(0, feed))
      yield* end(lineAt + held + feed + 1)
      rest = rest.subarray(feed + 1)
    }
    parts.push(rest)
    held += rest.length
    if (held > mostJsonBytes) refuseLine(file, lineNumber, `has over ${mostJsonBytes} bytes`)
  }
  if (held > 0) yield* end(lineAt + held)
}
