/** A JSON array of arrays of token ids, streamed: no more than one inner array is in memory, and of that no more than is wanted. */
import { SpliceError } from '../../contract/errors.ts'
import { readBytes } from './file-bytes.ts'

/** An inner array's first ids. `index` is its place from zero, `next` the byte behind it. */
export interface IdArray {
  readonly ids: readonly number[]
  /** Ids behind the first ones, which are left out. */
  readonly leftOut: number
  readonly index: number
  readonly next: number
}

type Awaited = 'array' | 'inner' | 'first-id' | 'id' | 'digits' | 'after-id' | 'after-inner' | 'end'

const blanks = new Set([0x20, 0x09, 0x0a, 0x0d])
const [open, close, comma, zero, nine] = [0x5b, 0x5d, 0x2c, 0x30, 0x39]
const byteOrderMark = [0xef, 0xbb, 0xbf]

/** Reads byte by byte what JSON allows; refuses everything else by its place. */
class IdArrayParser {
  readonly #file: string
  readonly #most: number
  #awaits: Awaited
  #index: number
  #ids: number[] = []
  #leftOut = 0
  #id = 0

  constructor(file: string, most: number, from: { offset: number; index: number }) {
    this.#file = file
    this.#most = most
    this.#awaits = from.offset === 0 ? 'array' : 'after-inner'
    this.#index = from.index
  }

  #refuse(byte: number, at: number): never {
    const shown = byte >= 0x20 && byte < 0x7f ? JSON.stringify(String.fromCharCode(byte)) : `the byte ${byte}`
    const inside = this.#awaits === 'array' || this.#awaits === 'end' ? '' : ` in sequence ${this.#index + 1}`
    throw new SpliceError('corpus/ids', `${this.#file} is no array of arrays of token ids: ${shown} at byte ${at}${inside}`, {
      file: this.#file,
      hint: 'It has to look like [[2,106,108],[2,55]]: whole numbers from zero.'
    })
  }

  #keep(): void {
    if (this.#ids.length < this.#most) this.#ids.push(this.#id)
    else this.#leftOut += 1
  }

  /** Takes one byte; gives an inner array where it ends one. */
  take(byte: number, at: number): IdArray | null {
    if (this.#awaits === 'digits') {
      if (byte >= zero && byte <= nine) {
        this.#id = this.#id * 10 + byte - zero
        if (this.#id > 2 ** 31) this.#refuse(byte, at)
        return null
      }
      this.#keep()
      this.#awaits = 'after-id'
    }
    if (blanks.has(byte) || (at < 3 && byte === byteOrderMark[at])) return null
    switch (this.#awaits) {
      case 'array':
      case 'inner':
        if (byte === close && this.#awaits === 'inner' && this.#index === 0) this.#awaits = 'end'
        else if (byte !== open) this.#refuse(byte, at)
        else this.#awaits = this.#awaits === 'array' ? 'inner' : 'first-id'
        return null
      case 'first-id':
      case 'id':
        if (byte === close && this.#awaits === 'first-id') return this.#refuseEmpty()
        if (byte < zero || byte > nine) this.#refuse(byte, at)
        this.#id = byte - zero
        this.#awaits = 'digits'
        return null
      case 'after-id':
        if (byte === close) return this.#end(at + 1)
        if (byte !== comma) this.#refuse(byte, at)
        this.#awaits = 'id'
        return null
      case 'after-inner':
        if (byte === close) this.#awaits = 'end'
        else if (byte !== comma) this.#refuse(byte, at)
        else this.#awaits = 'inner'
        return null
      default:
        return this.#refuse(byte, at)
    }
  }

  #refuseEmpty(): never {
    throw new SpliceError('corpus/ids', `sequence ${this.#index + 1} of ${this.#file} is empty`, {
      file: this.#file,
      hint: 'Take it out, or give it ids.'
    })
  }

  #end(next: number): IdArray {
    const array = { ids: this.#ids, leftOut: this.#leftOut, index: this.#index, next }
    this.#ids = []
    this.#leftOut = 0
    this.#index += 1
    this.#awaits = 'after-inner'
    return array
  }

  /** Throws where the file ends too early. */
  finish(): void {
    if (this.#awaits === 'end') return
    throw new SpliceError('corpus/ids', `${this.#file} ends before its array of arrays of token ids does`, {
      file: this.#file,
      hint: 'Write the file again; it has to look like [[2,106,108],[2,55]].'
    })
  }
}

/**
 * The inner arrays behind byte `offset`, of which the first has the place `index`; of each, the first `most` ids.
 * Throws `corpus/ids` naming the file and where in it, `file/unreadable`.
 */
export async function* idArrays(file: string, most: number, from: { offset: number; index: number }): AsyncGenerator<IdArray, void> {
  const parser = new IdArrayParser(file, most, from)
  let at = from.offset
  for await (const chunk of readBytes(file, from.offset)) {
    for (const byte of chunk) {
      const array = parser.take(byte, at)
      at += 1
      if (array !== null) yield array
    }
  }
  parser.finish()
}
