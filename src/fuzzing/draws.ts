/** Random choices of a fuzzed case: the same for the same seed. */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

export class Draws {
  readonly #generator: ReturnType<typeof xoroshiro128plus>

  /** `seed` is a whole number; `stream` and `number` tell cases of one seed apart. */
  constructor(seed: number, stream = '', number = 0) {
    let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(number + 1, 0xc2b2ae35)
    for (const character of stream) mixed = Math.imul(mixed ^ (character.codePointAt(0) ?? 0), 0x01000193)
    this.#generator = xoroshiro128plus(mixed)
  }

  /** A number of [0, 1). */
  fraction(): number {
    return uniformFloat64(this.#generator)
  }

  /** A whole number of [0, end). */
  below(end: number): number {
    return Math.floor(this.fraction() * end)
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** One of a list, which must not be empty. */
  pick<Item>(list: readonly Item[]): Item {
    const item = list[this.below(list.length)]
    if (item === undefined && list.length === 0) throw new Error('nothing to pick from')
    return item as Item
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)))
  }
}
