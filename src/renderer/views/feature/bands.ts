/** A feature's examples by how strongly it fires in them, and what share of its firings is stronger. */
import type { FeatureExample } from '../../../contract/explanations.ts'
import type { HistogramBar } from './histogram-option.ts'

/** Bands of equal width, from none to the maximum. */
const bandCount = 5

/**
 * Examples whose marked activation lies in (`from`, `to`] of the maximum, as shares of it. `above` is the share of the feature's
 * firings that are stronger than the band's lower end, by its histogram; null without one.
 */
export type Band = { from: number; to: number; examples: { example: FeatureExample; number: number }[]; above: number | null }

/** The activation that an example is there for: that of its marked token. */
export function activationOf({ values, maxValue, maxValueTokenIndex }: FeatureExample): number {
  return values[maxValueTokenIndex] ?? maxValue
}

/** The share of a histogram's counts above a value; a bin that the value lies in counts in part. Null for an empty histogram. */
export function shareAbove(bars: readonly HistogramBar[], value: number): number | null {
  const all = bars.reduce((sum, { count }) => sum + count, 0)
  const [first, second] = bars
  if (all === 0 || first === undefined || second === undefined) return null
  const width = second.value - first.value
  const above = bars.reduce((sum, bar) => {
    const part = Math.min(1, Math.max(0, (bar.value + width / 2 - value) / width))
    return sum + part * bar.count
  }, 0)
  return above / all
}

/** Bands with examples, the strongest first; examples stay in their order. */
export function bandsOf(examples: readonly FeatureExample[], largest: number, histogram: readonly HistogramBar[]): Band[] {
  const bands: Band[] = Array.from({ length: bandCount }, (_, at) => ({
    from: at / bandCount,
    to: (at + 1) / bandCount,
    examples: [],
    above: shareAbove(histogram, (at / bandCount) * largest)
  }))
  for (const [number, example] of examples.entries()) {
    const share = largest > 0 ? activationOf(example) / largest : 0
    const at = Math.min(bandCount - 1, Math.max(0, Math.ceil(share * bandCount - 1e-9) - 1))
    bands[at]?.examples.push({ example, number })
  }
  return bands.filter(band => band.examples.length > 0).reverse()
}
