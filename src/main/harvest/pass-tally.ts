/** Adds what a pass said of an SAE to its tally: every token counts, and those that may become examples are shown with their surroundings. */
import type { SparseReading } from '../inference/harvest-messages.ts'
import type { Candidate, SaeTally, WriteSurroundings } from './sae-tally.ts'
import { type TallyShape, tokensOf } from './tally-shape.ts'
import { TokenHash } from './token-hash.ts'

/** Sequences of a pass: [sequence, place], padded to `length`. */
export interface PassText {
  readonly ids: Int32Array
  readonly length: number
  /** How long each sequence is, and its number in the corpus. */
  readonly lengths: readonly number[]
  readonly numbers: readonly number[]
}

/** A pass's text with the hashes of its places, which all SAEs share. */
export class TextPlaces {
  readonly ids: Int32Array
  readonly length: number
  readonly lengths: readonly number[]
  /** Of each position: the hash of the text around it, and that of its place in the corpus. */
  readonly hashes: Float64Array
  readonly places: Float64Array
  readonly shape: TallyShape

  /** `seed` tells one corpus from another. */
  constructor({ ids, length, lengths, numbers }: PassText, shape: TallyShape, seed: number) {
    this.ids = ids
    this.length = length
    this.lengths = lengths
    this.shape = shape
    this.hashes = new Float64Array(ids.length)
    this.places = new Float64Array(ids.length)
    for (const [row, size] of lengths.entries()) {
      for (let token = 0; token < size; token++) {
        const position = row * length + token
        const [start, end] = this.around(position)
        const hash = new TokenHash().add(position - start)
        for (let at = start; at < end; at++) hash.add(ids[at] ?? 0)
        this.hashes[position] = hash.value
        const number = numbers[row] ?? 0
        this.places[position] = new TokenHash(seed)
          .add(number)
          .add(Math.floor(number / 2 ** 32))
          .add(token).value
      }
    }
  }

  /** Half-open range of positions around one, within its sequence. */
  around(position: number): [start: number, end: number] {
    const row = Math.floor(position / this.length)
    const first = row * this.length
    const { before, after } = this.shape
    return [Math.max(first, position - before), Math.min(first + (this.lengths[row] ?? 0), position + after + 1)]
  }
}

/** Gathers a pass's activations feature by feature; kept for the passes of one SAE. */
export class PassTally {
  readonly #tally: SaeTally
  /** The first entry of each feature, and of each entry the next one of its feature; -1 where there is none. */
  readonly #first: Int32Array
  #next = new Int32Array(0)
  #positions = new Int32Array(0)
  #values = new Float32Array(0)

  constructor(tally: SaeTally) {
    this.#tally = tally
    this.#first = new Int32Array(tally.features).fill(-1)
  }

  /** Adds a pass. Gives how many activations are infinite: these are not counted. */
  add({ places, values }: SparseReading, text: TextPlaces): number {
    const { features } = this.#tally
    if (this.#next.length < places.length) {
      this.#next = new Int32Array(places.length)
      this.#positions = new Int32Array(places.length)
      this.#values = new Float32Array(places.length)
    }
    const fired: number[] = []
    let infinite = 0
    for (let entry = places.length - 1; entry >= 0; entry--) {
      if (values[entry] === Number.POSITIVE_INFINITY) {
        infinite += 1
        continue
      }
      const feature = (places[entry] ?? 0) % features
      const next = this.#first[feature] ?? -1
      if (next === -1) fired.push(feature)
      this.#next[entry] = next
      this.#first[feature] = entry
    }
    for (const feature of fired) {
      let size = 0
      for (let entry = this.#first[feature] ?? -1; entry !== -1; entry = this.#next[entry] ?? -1) {
        this.#positions[size] = ((places[entry] ?? 0) - feature) / features
        this.#values[size] = values[entry] ?? 0
        size += 1
      }
      this.#first[feature] = -1
      this.#addFeature(feature, size, text)
    }
    return infinite
  }

  /** A feature's activations are the first `size` gathered ones, in the order of their positions. */
  #addFeature(feature: number, size: number, text: TextPlaces): void {
    const tally = this.#tally
    for (let entry = 0; entry < size; entry++) tally.add(feature, this.#values[entry] ?? 0)
    // One of each stretch of text may be among the strongest: neighbours would show the same text again.
    const stretch = tokensOf(text.shape)
    const stretchOf = (entry: number) => {
      const position = this.#positions[entry] ?? 0
      const token = position % text.length
      return position - token + Math.floor(token / stretch)
    }
    let strongest = 0
    for (let entry = 0; entry < size; entry++) {
      const value = this.#values[entry] ?? 0
      if (tally.mayBeInInterval(feature, value, text.hashes[this.#positions[entry] ?? 0] ?? 0)) {
        tally.offerInterval(feature, this.#candidate(entry, text), this.#surroundings(entry, size, text))
      }
      if (value > (this.#values[strongest] ?? 0)) strongest = entry
      if (entry + 1 < size && stretchOf(entry + 1) === stretchOf(entry)) continue
      const chosen = strongest
      if (tally.mayBeTop(feature, this.#values[chosen] ?? 0)) {
        tally.offerTop(feature, this.#candidate(chosen, text), this.#surroundings(chosen, size, text))
      }
      strongest = entry + 1
    }
  }

  #candidate(entry: number, { hashes, places }: TextPlaces): Candidate {
    const position = this.#positions[entry] ?? 0
    return { value: this.#values[entry] ?? 0, hash: hashes[position] ?? 0, place: places[position] ?? 0 }
  }

  #surroundings(entry: number, size: number, text: TextPlaces): WriteSurroundings {
    return (ids, activations, offset) => {
      const position = this.#positions[entry] ?? 0
      const [start, end] = text.around(position)
      for (let at = start; at < end; at++) ids[offset + at - start] = text.ids[at] ?? 0
      activations.fill(0, offset, offset + end - start)
      let first = entry
      while (first > 0 && (this.#positions[first - 1] ?? 0) >= start) first -= 1
      for (let at = first; at < size && (this.#positions[at] ?? 0) < end; at++) {
        activations[offset + (this.#positions[at] ?? 0) - start] = this.#values[at] ?? 0
      }
      return (position - start) * 256 + end - start
    }
  }
}
