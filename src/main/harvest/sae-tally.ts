/**
 * What a harvest knows of the features of one SAE: how often each fired, its maximum, a histogram, and examples. All of it depends on
 * what was added and not on the order, so parts that were counted apart can be put together.
 *
 * - The bins of a histogram are as wide as the least power of two with which 64 of them reach beyond the maximum. A larger maximum
 *   makes pairs of bins one, which is exact.
 * - Of each interval of eight bins the examples with the smallest hashes of their text are kept; of two intervals that become one the
 *   smallest of both are the smallest of all.
 * - Besides, the strongest examples are kept, no two with the same text.
 */
import { binCount, intervalCount, slotsOf, type TallyShape, tokensOf } from './tally-shape.ts'

/** A place in a text at which a feature fires, with what stands around it. */
export interface Example {
  readonly value: number
  /** Of the text around it: the same text has the same one. */
  readonly hash: number
  /** Of the place itself: no two places of a corpus have the same one, but by chance. */
  readonly place: number
  /** Its token among `ids`. */
  readonly at: number
  readonly ids: Int32Array
  /** The feature's activations at them. */
  readonly activations: Float32Array
}

/** All that is known of one feature. Bins are `2 ** exponent` wide. */
export interface FeatureTally {
  readonly count: number
  readonly maximum: number
  readonly exponent: number
  readonly bins: Uint32Array
  /** Strongest first. */
  readonly top: readonly Example[]
  /** By interval of eight bins, smallest hash first. */
  readonly intervals: readonly (readonly Example[])[]
}

/** What of an example decides whether it is kept. */
export type Candidate = Pick<Example, 'value' | 'hash' | 'place'>

/**
 * Writes an example's tokens and the feature's activations at them from `offset` on; gives where its own token is among them and how many
 * they are, as `at * 256 + length`.
 */
export type WriteSurroundings = (ids: Int32Array, activations: Float32Array, offset: number) => number

/** Which of two examples of the same text is kept: the stronger one, then by place. */
function isStronger(a: Candidate, b: Candidate): boolean {
  return a.value > b.value || (a.value === b.value && a.place < b.place)
}

/** The order of the strongest examples. */
function compareByStrength(a: Candidate, b: Candidate): number {
  return b.value - a.value || a.hash - b.hash || a.place - b.place
}

/** The order of an interval's examples. */
function compareByHash(a: Candidate, b: Candidate): number {
  return a.hash - b.hash || b.value - a.value || a.place - b.place
}

function writerOf({ at, ids, activations }: Example): WriteSurroundings {
  return (toIds, toActivations, offset) => {
    toIds.set(ids, offset)
    toActivations.set(activations, offset)
    return at * 256 + ids.length
  }
}

const binBits = Math.log2(binCount)
const intervalBits = Math.log2(binCount / intervalCount)
const bitsOf = { float: new Float32Array(1), bits: new Int32Array(0) }
bitsOf.bits = new Int32Array(bitsOf.float.buffer)

/** The exponent of bins that a positive float32 needs: it lies in their upper half. Subnormal numbers take that of the least normal one. */
export function exponentOf(value: number): number {
  bitsOf.float[0] = value
  const biased = ((bitsOf.bits[0] ?? 0) >>> 23) & 0xff
  return Math.max(1, biased) - 127 - (binBits - 1)
}

const leastExponent = exponentOf(0)
/** 2 ** -exponent, from the least one on. */
const scales = Float64Array.from({ length: 256 }, (_, at) => 2 ** -(leastExponent + at))

/** The bin that a value lies in. */
function binOf(value: number, exponent: number): number {
  return Math.floor(value * (scales[exponent - leastExponent] ?? 0))
}

export class SaeTally {
  readonly features: number
  readonly shape: TallyShape
  readonly #counts: Float64Array
  readonly #maxima: Float32Array
  readonly #exponents: Int16Array
  readonly #bins: Uint32Array
  /** How many examples each group of a feature has: the strongest, then each interval. */
  readonly #taken: Uint8Array
  /** What an example has to be below, in the order of its group, to be looked at: the largest hash of a full interval, the least activation. */
  readonly #largestHashes: Float64Array
  readonly #leastTops: Float32Array
  readonly #slots: number
  readonly #tokens: number
  readonly #values: Float32Array
  readonly #hashes: Float64Array
  readonly #places: Float64Array
  readonly #ats: Uint8Array
  readonly #lengths: Uint8Array
  readonly #ids: Int32Array
  readonly #activations: Float32Array

  constructor(features: number, shape: TallyShape) {
    this.features = features
    this.shape = shape
    this.#slots = slotsOf(shape)
    this.#tokens = tokensOf(shape)
    const slots = features * this.#slots
    this.#counts = new Float64Array(features)
    this.#maxima = new Float32Array(features)
    this.#exponents = new Int16Array(features).fill(leastExponent)
    this.#bins = new Uint32Array(features * binCount)
    this.#taken = new Uint8Array(features * (1 + intervalCount))
    this.#largestHashes = new Float64Array(features * intervalCount).fill(shape.perInterval === 0 ? -1 : Number.POSITIVE_INFINITY)
    this.#leastTops = new Float32Array(features).fill(shape.top === 0 ? Number.POSITIVE_INFINITY : 0)
    this.#values = new Float32Array(slots)
    this.#hashes = new Float64Array(slots)
    this.#places = new Float64Array(slots)
    this.#ats = new Uint8Array(slots)
    this.#lengths = new Uint8Array(slots)
    this.#ids = new Int32Array(slots * this.#tokens)
    this.#activations = new Float32Array(slots * this.#tokens)
  }

  /** Tokens at which a feature fired. */
  count(feature: number): number {
    return this.#counts[feature] ?? 0
  }

  /** Counts one token at which a feature fires with `value`, a positive float32. */
  add(feature: number, value: number): void {
    this.#counts[feature] = this.count(feature) + 1
    if (value > (this.#maxima[feature] ?? 0)) {
      this.#maxima[feature] = value
      const exponent = exponentOf(value)
      if (exponent > (this.#exponents[feature] ?? 0)) this.#widen(feature, exponent)
    }
    const bin = feature * binCount + binOf(value, this.#exponents[feature] ?? 0)
    this.#bins[bin] = (this.#bins[bin] ?? 0) + 1
  }

  /** Makes a feature's bins wider, which its maximum needs. */
  #widen(feature: number, exponent: number): void {
    const shift = exponent - (this.#exponents[feature] ?? 0)
    this.#exponents[feature] = exponent
    if (this.count(feature) === 0) return
    const bins = this.#bins.subarray(feature * binCount, (feature + 1) * binCount)
    const before = bins.slice()
    bins.fill(0)
    for (const [at, count] of before.entries()) {
      const to = shift >= binBits ? 0 : at >> shift
      bins[to] = (bins[to] ?? 0) + count
    }
    const examples = Array.from({ length: intervalCount }, (_, interval) => this.#examplesOf(feature, 1 + interval)).flat()
    this.#taken.fill(0, feature * (1 + intervalCount) + 1, (feature + 1) * (1 + intervalCount))
    if (this.shape.perInterval > 0) {
      this.#largestHashes.fill(Number.POSITIVE_INFINITY, feature * intervalCount, (feature + 1) * intervalCount)
    }
    for (const example of examples) this.#keepInInterval(feature, example)
  }

  #firstSlot(feature: number, group: number): number {
    const { top, perInterval } = this.shape
    return feature * this.#slots + (group === 0 ? 0 : top + (group - 1) * perInterval)
  }

  /** The slot that a candidate takes in a group, perhaps another's that is kept no more; -1 where it is not kept. */
  #slotFor(feature: number, group: number, candidate: Candidate): number {
    const room = group === 0 ? this.shape.top : this.shape.perInterval
    if (room === 0) return -1
    const first = this.#firstSlot(feature, group)
    const takenAt = feature * (1 + intervalCount) + group
    const taken = this.#taken[takenAt] ?? 0
    const compare = group === 0 ? compareByStrength : compareByHash
    let last = first
    for (let slot = first; slot < first + taken; slot++) {
      if (this.#hashes[slot] === candidate.hash) return isStronger(candidate, this.#candidateIn(slot)) ? slot : -1
      if (slot > first && compare(this.#candidateIn(slot), this.#candidateIn(last)) > 0) last = slot
    }
    if (taken < room) {
      this.#taken[takenAt] = taken + 1
      return first + taken
    }
    return compare(candidate, this.#candidateIn(last)) < 0 ? last : -1
  }

  #candidateIn(slot: number): Candidate {
    return { value: this.#values[slot] ?? 0, hash: this.#hashes[slot] ?? 0, place: this.#places[slot] ?? 0 }
  }

  #intervalOf(feature: number, value: number): number {
    return binOf(value, this.#exponents[feature] ?? 0) >> intervalBits
  }

  /** Whether an example may be among a feature's strongest; false where it surely is not. */
  mayBeTop(feature: number, value: number): boolean {
    return value >= (this.#leastTops[feature] ?? 0)
  }

  /** Whether an example may be kept in its interval; false where it surely is not. */
  mayBeInInterval(feature: number, value: number, hash: number): boolean {
    return hash <= (this.#largestHashes[feature * intervalCount + this.#intervalOf(feature, value)] ?? 0)
  }

  /** Offers an example for the strongest ones. `write` is called where it is kept. */
  offerTop(feature: number, candidate: Candidate, write: WriteSurroundings): void {
    if (!this.#fill(this.#slotFor(feature, 0, candidate), candidate, write)) return
    const { top } = this.shape
    if (this.#taken[feature * (1 + intervalCount)] !== top) return
    const first = this.#firstSlot(feature, 0)
    this.#leastTops[feature] = Math.min(...this.#values.subarray(first, first + top))
  }

  /** Offers an example for its interval; the feature's maximum has to be known. `write` is called where it is kept. */
  offerInterval(feature: number, candidate: Candidate, write: WriteSurroundings): void {
    const interval = this.#intervalOf(feature, candidate.value)
    if (!this.#fill(this.#slotFor(feature, 1 + interval, candidate), candidate, write)) return
    const { perInterval } = this.shape
    if (this.#taken[feature * (1 + intervalCount) + 1 + interval] !== perInterval) return
    const first = this.#firstSlot(feature, 1 + interval)
    this.#largestHashes[feature * intervalCount + interval] = Math.max(...this.#hashes.subarray(first, first + perInterval))
  }

  #keepInInterval(feature: number, example: Example): void {
    this.offerInterval(feature, example, writerOf(example))
  }

  #fill(slot: number, { value, hash, place }: Candidate, write: WriteSurroundings): boolean {
    if (slot === -1) return false
    const atAndLength = write(this.#ids, this.#activations, slot * this.#tokens)
    this.#values[slot] = value
    this.#hashes[slot] = hash
    this.#places[slot] = place
    this.#ats[slot] = atAndLength >> 8
    this.#lengths[slot] = atAndLength & 0xff
    return true
  }

  #examplesOf(feature: number, group: number): Example[] {
    const first = this.#firstSlot(feature, group)
    const taken = this.#taken[feature * (1 + intervalCount) + group] ?? 0
    return Array.from({ length: taken }, (_, at): Example => {
      const slot = first + at
      const [start, length] = [slot * this.#tokens, this.#lengths[slot] ?? 0]
      return {
        ...this.#candidateIn(slot),
        at: this.#ats[slot] ?? 0,
        ids: this.#ids.slice(start, start + length),
        activations: this.#activations.slice(start, start + length)
      }
    })
  }

  /** What is known of a feature; null where it never fired. */
  read(feature: number): FeatureTally | null {
    const count = this.count(feature)
    if (count === 0) return null
    return {
      count,
      maximum: this.#maxima[feature] ?? 0,
      exponent: this.#exponents[feature] ?? 0,
      bins: this.#bins.slice(feature * binCount, (feature + 1) * binCount),
      top: this.#examplesOf(feature, 0).sort(compareByStrength),
      intervals: Array.from({ length: intervalCount }, (_, at) => this.#examplesOf(feature, 1 + at).sort(compareByHash))
    }
  }

  /** Adds what was counted elsewhere of a feature, of the same shape. */
  absorb(feature: number, { count, maximum, exponent, bins, top, intervals }: FeatureTally): void {
    if (exponent > (this.#exponents[feature] ?? 0)) this.#widen(feature, exponent)
    const shift = (this.#exponents[feature] ?? 0) - exponent
    for (const [at, some] of bins.entries()) {
      if (some === 0) continue
      const bin = feature * binCount + (shift >= binBits ? 0 : at >> shift)
      this.#bins[bin] = (this.#bins[bin] ?? 0) + some
    }
    this.#counts[feature] = this.count(feature) + count
    this.#maxima[feature] = Math.max(this.#maxima[feature] ?? 0, maximum)
    for (const example of top) this.offerTop(feature, example, writerOf(example))
    for (const example of intervals.flat()) this.#keepInInterval(feature, example)
  }
}
