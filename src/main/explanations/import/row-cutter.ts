/** Cuts a stream of bytes into rows without parsing them: lines of .jsonl, objects of a JSON array. */

/** A row longer than this is none of ours; it is skipped, so that memory stays bounded. Bytes. */
export const longestRow = 16 * 1024 * 1024

const newline = 0x0a
const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d

/** A row's bytes, or why there are none; `line` counts from 1. */
export type CutRow = { readonly line: number; readonly bytes: Buffer } | { readonly line: number; readonly problem: string }

/** Takes in bytes and gives the rows that are whole. */
export interface RowCutter {
  push(chunk: Buffer): CutRow[]
  /** What is left when the stream has ended. */
  end(): CutRow[]
}

/** Lines of .jsonl; empty ones are no rows. */
export class LineCutter implements RowCutter {
  #rest: Buffer[] = []
  #restBytes = 0
  #line = 0
  #isTooLong = false

  push(chunk: Buffer): CutRow[] {
    const rows: CutRow[] = []
    let from = 0
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
      this.#take(chunk.subarray(from, at), rows)
      from = at + 1
    }
    const rest = chunk.subarray(from)
    this.#restBytes += rest.length
    if (this.#restBytes > longestRow) {
      this.#isTooLong = true
      this.#rest = []
    } else if (rest.length > 0) this.#rest.push(rest)
    return rows
  }

  #take(piece: Buffer, rows: CutRow[]): void {
    this.#line += 1
    if (this.#isTooLong) rows.push({ line: this.#line, problem: `the line has more than ${longestRow} bytes` })
    else {
      const bytes = this.#rest.length === 0 ? piece : Buffer.concat([...this.#rest, piece])
      if (!isBlank(bytes)) rows.push({ line: this.#line, bytes })
    }
    this.#rest = []
    this.#restBytes = 0
    this.#isTooLong = false
  }

  end(): CutRow[] {
    const rows: CutRow[] = []
    if (this.#restBytes > 0) this.#take(Buffer.alloc(0), rows)
    return rows
  }
}

function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) return false
  return true
}

/** The objects of a JSON array, or one object alone. What stands between them but commas and brackets is a mistake. */
export class ObjectCutter implements RowCutter {
  #row: Buffer[] = []
  #rowBytes = 0
  #depth = 0
  #isInString = false
  #isEscaped = false
  #count = 0
  #isTooLong = false
  #isBroken = false

  push(chunk: Buffer): CutRow[] {
    const rows: CutRow[] = []
    let start = this.#depth > 0 ? 0 : -1
    for (let at = 0; at < chunk.length && !this.#isBroken; at++) {
      if (this.#isInString) {
        at = this.#skipString(chunk, at)
        continue
      }
      const byte = chunk[at]
      if (byte === quote && this.#depth > 0) this.#isInString = true
      else if (byte === openBrace) {
        if (this.#depth === 0) start = at
        this.#depth += 1
      } else if (byte === closeBrace && this.#depth > 0) {
        this.#depth -= 1
        if (this.#depth > 0) continue
        this.#keep(chunk.subarray(start, at + 1))
        this.#finish(rows)
        start = -1
      } else if (this.#depth === 0 && !isBetween(byte)) {
        this.#isBroken = true
        rows.push({ line: this.#count + 1, problem: 'what stands here is no object of a JSON array' })
      }
    }
    if (start !== -1) this.#keep(chunk.subarray(start))
    return rows
  }

  /** Goes on inside a string; returns the place of its last byte in this chunk. */
  #skipString(chunk: Buffer, from: number): number {
    let at = from
    if (this.#isEscaped) {
      this.#isEscaped = false
      return at
    }
    for (; at < chunk.length; at++) {
      const byte = chunk[at]
      if (byte === backslash) {
        this.#isEscaped = at + 1 === chunk.length
        at += 1
      } else if (byte === quote) {
        this.#isInString = false
        return at
      }
    }
    return chunk.length
  }

  #keep(piece: Buffer): void {
    this.#rowBytes += piece.length
    if (this.#rowBytes > longestRow) {
      this.#isTooLong = true
      this.#row = []
    } else this.#row.push(piece)
  }

  #finish(rows: CutRow[]): void {
    this.#count += 1
    rows.push(
      this.#isTooLong
        ? { line: this.#count, problem: `the object has more than ${longestRow} bytes` }
        : { line: this.#count, bytes: this.#row.length === 1 ? (this.#row[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#row) }
    )
    this.#row = []
    this.#rowBytes = 0
    this.#isTooLong = false
  }

  end(): CutRow[] {
    if (this.#isBroken || (this.#depth === 0 && this.#count > 0)) return []
    return [{ line: this.#count + 1, problem: this.#depth > 0 ? 'the file ends inside an object' : 'the file holds no objects' }]
  }
}

/** White space, commas, brackets, and the mark that some editors put before UTF-8. */
function isBetween(byte: number | undefined): boolean {
  return (
    byte === undefined ||
    byte === 0x20 ||
    (byte >= 0x09 && byte <= 0x0d) ||
    byte === 0x2c ||
    byte === openBracket ||
    byte === closeBracket ||
    byte === 0xef ||
    byte === 0xbb ||
    byte === 0xbf
  )
}
