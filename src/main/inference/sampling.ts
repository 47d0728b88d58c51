/**
 * From the logits at a sequence's end to its next token, as TransformerLens's `sample_logits` picks it: divide by the temperature,
 * take the frequency penalty off, keep the top k, keep the nucleus of mass p (Holtzman et al. 2020), draw.
 */
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

export interface Sampling {
  /** 0 takes the most probable token, whatever the other settings say. */
  readonly temperature: number
  /** Only the k largest logits; those equal to the smallest of them stay. Null: all. */
  readonly topK: number | null
  /** Only the most probable tokens until their probabilities exceed p. Null: all. */
  readonly topP: number | null
  /** Taken off a token's logit for each time it stands in the sequence so far. */
  readonly frequencyPenalty: number
}

/** Uniform numbers of [0, 1), the same for the same seed. */
export type Randomness = () => number

export function randomnessOf(seed: number): Randomness {
  const generator = xoroshiro128plus(seed)
  return () => uniformFloat64(generator)
}

/** The `k` largest values in descending order and where they are; equal values by their place. `k` is small: a list for people. */
export function largest(values: Float32Array, k: number): { value: number; place: number }[] {
  const found: { value: number; place: number }[] = []
  let least = Number.NEGATIVE_INFINITY
  for (let place = 0; place < values.length; place++) {
    const value = values[place] ?? Number.NaN
    if (found.length >= k && !(value > least)) continue
    let at = found.length
    while (at > 0 && (found[at - 1]?.value ?? 0) < value) at -= 1
    found.splice(at, 0, { value, place })
    if (found.length > k) found.pop()
    least = found[found.length - 1]?.value ?? least
  }
  return found
}

/** How many values are greater than the one at `place`: 0 is best. */
export function rankOf(values: Float32Array, place: number): number {
  const own = values[place] ?? Number.NaN
  let rank = 0
  for (let other = 0; other < values.length; other++) if ((values[other] ?? Number.NaN) > own) rank += 1
  return rank
}

/** The k-th largest value. */
function kthLargest(values: Float32Array, k: number): number {
  return values.toSorted()[values.length - k] ?? Number.NEGATIVE_INFINITY
}

/** log(sum(exp(values))) in double precision. */
export function logSumExp(values: Float32Array): number {
  let maximum = Number.NEGATIVE_INFINITY
  for (let place = 0; place < values.length; place++) maximum = Math.max(maximum, values[place] ?? Number.NaN)
  let sum = 0
  for (let place = 0; place < values.length; place++) sum += Math.exp((values[place] ?? Number.NaN) - maximum)
  return maximum + Math.log(sum)
}

/** The next token id after a sequence with `logits` [vocabulary] at its end; `counts`: how often each token stands in it. */
export function sampleToken(logits: Float32Array, how: Sampling, counts: ReadonlyMap<number, number>, random: Randomness): number {
  if (how.temperature === 0) return largest(logits, 1)[0]?.place ?? 0
  const scaled = logits.map(logit => logit / how.temperature)
  if (how.frequencyPenalty !== 0) {
    for (const [id, count] of counts) scaled[id] = (scaled[id] ?? 0) - how.frequencyPenalty * count
  }
  if (how.topK !== null && how.topK < scaled.length) {
    const least = kthLargest(scaled, how.topK)
    for (const [id, value] of scaled.entries()) if (value < least) scaled[id] = Number.NEGATIVE_INFINITY
  }
  const total = logSumExp(scaled)
  const probabilities = Float64Array.from(scaled, value => Math.exp(value - total))
  return how.topP === null ? draw(probabilities, null, random) : draw(probabilities, nucleus(probabilities, how.topP), random)
}

/** Ids of the most probable tokens until their probabilities exceed `mass`, most probable first; at least one. */
function nucleus(probabilities: Float64Array, mass: number): number[] {
  // Tokens below this hold less than 1 - mass together, so all of them come after the nucleus.
  const least = (1 - mass) / probabilities.length
  const candidates = [...probabilities.keys()].filter(id => (probabilities[id] ?? 0) >= least)
  candidates.sort((a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0) || a - b)
  let size = 0
  for (let sum = 0; size < candidates.length && sum <= mass; size++) sum += probabilities[candidates[size] ?? 0] ?? 0
  return candidates.slice(0, size)
}

/** An id drawn in proportion to its probability, among `ids` or among all. */
function draw(probabilities: Float64Array, ids: readonly number[] | null, random: Randomness): number {
  const among = ids ?? [...probabilities.keys()]
  let left = random() * among.reduce((sum, id) => sum + (probabilities[id] ?? 0), 0)
  let last = 0
  for (const id of among) {
    const probability = probabilities[id] ?? 0
    if (probability === 0) continue
    last = id
    left -= probability
    if (left < 0) return id
  }
  return last
}
