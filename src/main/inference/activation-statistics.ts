/** What is said of an activation in numbers, in double precision over its finite values; masked scores and NaN are counted apart. */
import type { HookDifference, HookStatistics, Magnitudes } from '../../contract/hooks.ts'
import { toMaybeNumber } from '../../contract/numbers.ts'
import type { Layout } from './activation-layout.ts'

/** How many values are summed up at once: few enough to stay in the processor's cache for a second look. */
const pieceLength = 4096

/** Counts and moments of values that come in pieces, merged as Chan, Golub and LeVeque (1979) do, so that nothing cancels. */
class Moments {
  finite = 0
  mean = 0
  /** Sum of squared distances from the mean. */
  squares = 0
  min = Number.POSITIVE_INFINITY
  max = Number.NEGATIVE_INFINITY
  nan = 0
  positiveInfinity = 0
  negativeInfinity = 0

  /** Takes in `values[start, end)`. By index: iterating a typed array costs several times as much, and there may be billions. */
  add(values: Float32Array, start: number, end: number): void {
    let sum = 0
    let min = Number.POSITIVE_INFINITY
    let max = Number.NEGATIVE_INFINITY
    for (let place = start; place < end; place++) {
      const value = values[place] ?? Number.NaN
      sum += value
      if (value < min) min = value
      if (value > max) max = value
    }
    // A sum is finite only where every value is.
    if (sum - sum !== 0) {
      this.#addFinite(values, start, end)
      return
    }
    const mean = sum / (end - start)
    let squares = 0
    for (let place = start; place < end; place++) {
      const distance = (values[place] ?? Number.NaN) - mean
      squares += distance * distance
    }
    this.#merge(end - start, mean, squares, min, max)
  }

  /** A piece with values that are not finite: those are counted, and the others taken in. */
  #addFinite(values: Float32Array, start: number, end: number): void {
    const finite = new Float32Array(end - start)
    let count = 0
    for (let place = start; place < end; place++) {
      const value = values[place] ?? Number.NaN
      if (value - value === 0) {
        finite[count] = value
        count += 1
      } else if (value === Number.POSITIVE_INFINITY) this.positiveInfinity += 1
      else if (value === Number.NEGATIVE_INFINITY) this.negativeInfinity += 1
      else this.nan += 1
    }
    if (count > 0) this.add(finite, 0, count)
  }

  #merge(count: number, mean: number, squares: number, min: number, max: number): void {
    const total = this.finite + count
    const distance = mean - this.mean
    this.squares += squares + (distance * distance * this.finite * count) / total
    this.mean += (distance * count) / total
    this.finite = total
    if (min < this.min) this.min = min
    if (max > this.max) this.max = max
  }
}

/** Mean, standard deviation (over n - 1, as torch.std), extremes and counts. */
export function statisticsOf(values: Float32Array): HookStatistics {
  const moments = new Moments()
  for (let start = 0; start < values.length; start += pieceLength) {
    moments.add(values, start, Math.min(values.length, start + pieceLength))
  }
  const { finite, mean, squares, min, max, nan, positiveInfinity, negativeInfinity } = moments
  const counts = { finite, nan, positiveInfinity, negativeInfinity }
  if (finite === 0) return { mean: null, std: null, min: null, max: null, ...counts }
  const std = finite === 1 ? null : Math.sqrt(squares / (finite - 1))
  return { mean: toMaybeNumber(mean), std: toMaybeNumber(std), min, max, ...counts }
}

/** |x - y| over the places where both are finite. */
export function differenceOf(x: Float32Array, y: Float32Array): HookDifference {
  let sum = 0
  let max = 0
  let compared = 0
  let unlike = 0
  for (let place = 0; place < x.length; place++) {
    const a = x[place] ?? Number.NaN
    const b = y[place] ?? Number.NaN
    const distance = Math.abs(a - b)
    if (distance < Number.POSITIVE_INFINITY) {
      compared += 1
      sum += distance
      if (distance > max) max = distance
    } else if (!Object.is(a, b)) unlike += 1
  }
  return { meanAbsolute: compared === 0 ? null : sum / compared, maxAbsolute: compared === 0 ? null : max, compared, unlike }
}

/** x - y; the infinity itself where both are the same one, as masked scores are; NaN where one alone is not finite. */
export function subtract(x: number, y: number): number {
  if (x === y) return x - x === 0 ? 0 : x
  const difference = x - y
  return difference - difference === 0 ? difference : Number.NaN
}

/** Bins of the histogram behind `most`, evenly spaced in the square root of |x|: outliers reach far beyond the rest. */
const bins = 4096
const mostShare = 0.99

/**
 * How far colour scales have to reach. `special` says which positions hold special tokens: rows of them, and for attention
 * columns too, are left out of `ordinary`.
 */
export function magnitudesOf(values: Float32Array, layout: Layout, special: readonly boolean[], other: Float32Array | null): Magnitudes {
  const at = (place: number) => {
    const x = values[place] ?? Number.NaN
    return Math.abs(other === null ? x : subtract(x, other[place] ?? Number.NaN))
  }
  const { planes, rows, columns, planeStride, rowStride, square, rowsPerPosition } = layout
  let largest = 0
  let ordinary = 0
  let finite = 0
  let ordinaryFinite = 0
  const specialColumns = square ? special : []
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < rows; row++) {
      const start = plane * planeStride + row * rowStride
      const isSpecial = special[Math.floor(row / rowsPerPosition)] === true
      for (let column = 0; column < columns; column++) {
        const magnitude = at(start + column)
        if (!(magnitude < Number.POSITIVE_INFINITY)) continue
        finite += 1
        if (magnitude > largest) largest = magnitude
        if (isSpecial || specialColumns[column] === true) continue
        ordinaryFinite += 1
        if (magnitude > ordinary) ordinary = magnitude
      }
    }
  }
  if (finite === 0) return { largest: null, ordinary: null, most: null }
  const counts = new Float64Array(bins)
  for (let place = 0; place < values.length; place++) {
    const magnitude = at(place)
    if (!(magnitude < Number.POSITIVE_INFINITY)) continue
    const bin = largest === 0 ? 0 : Math.min(bins - 1, Math.floor(Math.sqrt(magnitude / largest) * bins))
    counts[bin] = (counts[bin] ?? 0) + 1
  }
  let within = 0
  let last = 0
  while (last < bins - 1 && within + (counts[last] ?? 0) < mostShare * finite) {
    within += counts[last] ?? 0
    last += 1
  }
  return { largest, ordinary: ordinaryFinite === 0 ? null : ordinary, most: largest * ((last + 1) / bins) ** 2 }
}
