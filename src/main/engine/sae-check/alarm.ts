/**
 * The wrong-tensor alarm: an SAE whose L0 or explained variance on a prompt is far from the published one may sit on another
 * tensor, or read it otherwise, than the one that it was made for.
 *
 * L0s are compared as they are, explained variances by what they leave unexplained, 1 - EV: 0.90 for 0.95 is twice as much. A figure
 * is off when it is more than two times the published one or, for L0, less than half of it, both without and with special tokens:
 * who published it counted one way or the other. Less unexplained than published is no sign of a wrong tensor. Unexplained parts
 * below 10% count as 10%: published figures are rounded, and the tokens of a corpus differ more than those of one prompt. Where no
 * explained variance is published, one below zero is off: the mean of the tokens would do better.
 */
import { fromMaybeNumber, type MaybeNumber, toMaybeNumber } from '../../../contract/numbers.ts'
import type { Alarm, OffMetric, PublishedMetrics, SaeReading } from '../../../contract/run.ts'

/** How many times a figure may be off. */
export const allowedFactor = 2

/** Fewest positions that an alarm rests on; docs/wrong-tensor.md says what it was measured over. */
export const fewestPositions = 48

const leastUnexplained = 0.1

/** What an explained variance leaves unexplained, as it is compared. */
export function unexplained(explainedVariance: number): number {
  return Math.max(1 - explainedVariance, leastUnexplained)
}

/** L0 and explained variance over some positions. */
export interface Figures {
  readonly l0: MaybeNumber
  readonly explainedVariance: MaybeNumber
}

/** Measured over published; null where either is missing, NaN included. */
function ratio(measured: MaybeNumber, published: number | undefined, scale: (value: number) => number): number | null {
  const value = fromMaybeNumber(measured)
  return published === undefined || value === null || Number.isNaN(value) ? null : scale(value) / scale(published)
}

/** Measured L0 over the published one; null where either is missing. */
export function l0Ratio({ l0 }: Figures, published: PublishedMetrics): number | null {
  return ratio(l0, published.l0?.value, value => value)
}

/** Measured unexplained part over the published one; null where either is missing. */
export function unexplainedRatio({ explainedVariance }: Figures, published: PublishedMetrics): number | null {
  return ratio(explainedVariance, published.explainedVariance?.value, unexplained)
}

/** How many times an L0 is off, 1 for none. */
export function timesOff(l0: number): number {
  return l0 === 0 ? Number.POSITIVE_INFINITY : Math.max(l0, 1 / l0)
}

/** Whether something reconstructs worse than the mean of the tokens would. */
function isWorseThanMean({ explainedVariance }: Figures): boolean {
  const value = fromMaybeNumber(explainedVariance)
  return value !== null && value < 0
}

/** Whether no figure is off. */
export function fits(figures: Figures, published: PublishedMetrics): boolean {
  const l0 = l0Ratio(figures, published)
  const rest = unexplainedRatio(figures, published)
  if (published.explainedVariance === null && isWorseThanMean(figures)) return false
  return (l0 === null || timesOff(l0) <= allowedFactor) && (rest === null || rest <= allowedFactor)
}

type Reading = Pick<SaeReading, 'l0' | 'explainedVariance' | 'positions' | 'withSpecial'>

function offL0(reading: Reading, published: PublishedMetrics): OffMetric[] {
  const ratios = [l0Ratio(reading, published), l0Ratio(reading.withSpecial, published)]
  const [own = null] = ratios
  const isOff =
    ratios.every(value => value !== null && value > allowedFactor) || ratios.every(value => value !== null && value < 1 / allowedFactor)
  if (!isOff || own === null || published.l0 === null) return []
  return [{ metric: 'l0', measured: reading.l0, published: published.l0.value, factor: toMaybeNumber(timesOff(own)) }]
}

function offExplained(reading: Reading, published: PublishedMetrics): OffMetric[] {
  const { explainedVariance: measured, withSpecial } = reading
  if (published.explainedVariance === null) {
    const isOff = isWorseThanMean(reading) && isWorseThanMean(withSpecial)
    return isOff ? [{ metric: 'explained-variance', measured, published: null, factor: null }] : []
  }
  const ratios = [unexplainedRatio(reading, published), unexplainedRatio(reading.withSpecial, published)]
  const [own = null] = ratios
  if (!ratios.every(value => value !== null && value > allowedFactor) || own === null) return []
  return [{ metric: 'explained-variance', measured, published: published.explainedVariance.value, factor: toMaybeNumber(own) }]
}

/** A number with at most three digits that matter. */
export function brief(value: MaybeNumber): string {
  const number = fromMaybeNumber(value)
  if (number === null) return 'undefined'
  if (!Number.isFinite(number)) return String(value)
  return Math.abs(number) >= 100 ? number.toFixed(0) : String(Number(number.toPrecision(3)))
}

function describe({ metric, measured, published, factor }: OffMetric): string {
  if (published === null) return `explained variance is ${brief(measured)}, so the mean of the tokens would do better`
  const times = fromMaybeNumber(factor) === Number.POSITIVE_INFINITY ? '' : `, ${brief(factor)} times`
  return metric === 'l0'
    ? `L0 is ${brief(measured)}, published ${brief(published)}${times === '' ? '' : `${times} off`}`
    : `explained variance is ${brief(measured)}, published ${brief(published)}${times} as much unexplained`
}

/** Whether a reading is far from what is published, over enough positions. */
export function alarmOf(reading: Reading, published: PublishedMetrics): Alarm | null {
  if (reading.positions < fewestPositions) return null
  const off = [...offL0(reading, published), ...offExplained(reading, published)]
  return off.length === 0
    ? null
    : { off, positions: reading.positions, text: `${off.map(describe).join('; ')}, over ${reading.positions} tokens` }
}
