/** Hashes of token ids that decide which examples are kept: 53 bits, the same on every machine. */

/** A hash that takes in whole numbers one after the other: two multiply-and-shift lanes, as in MurmurHash3's finaliser. */
export class TokenHash {
  #low: number
  #high: number

  constructor(seed = 0) {
    this.#low = (0x9e3779b9 ^ seed) | 0
    this.#high = (0x85ebca6b + seed) | 0
  }

  add(number: number): this {
    const value = number | 0
    this.#low = Math.imul(this.#low ^ value, 0xcc9e2d51)
    this.#low ^= this.#low >>> 15
    this.#high = Math.imul(this.#high ^ value, 0x1b873593)
    this.#high ^= this.#high >>> 13
    return this
  }

  /** Below 2^53. */
  get value(): number {
    const low = mixed(this.#low ^ (this.#high >>> 7))
    const high = mixed(this.#high ^ (low << 3))
    return (high & 0x1fffff) * 2 ** 32 + (low >>> 0)
  }
}

function mixed(bits: number): number {
  let mixing = bits ^ (bits >>> 16)
  mixing = Math.imul(mixing, 0x85ebca6b)
  mixing ^= mixing >>> 13
  mixing = Math.imul(mixing, 0xc2b2ae35)
  return mixing ^ (mixing >>> 16)
}
