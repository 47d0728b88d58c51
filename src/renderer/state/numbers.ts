/**
 * How numbers are written: log-probs with 3 decimals (nats), probabilities as per cent with 1, activations with 2, signs on differences.
 * Every function takes the contract's numbers, so undefined (null) and non-finite ones have one form each.
 */
import { fromMaybeNumber, type MaybeNumber } from '../../contract/numbers.ts'

const undefinedMark = '–'

function write(value: MaybeNumber | undefined, finite: (number: number) => string): string {
  if (value === undefined) return undefinedMark
  const number = fromMaybeNumber(value)
  if (number === null) return undefinedMark
  if (Number.isNaN(number)) return 'NaN'
  if (!Number.isFinite(number)) return number > 0 ? '∞' : '-∞'
  return finite(number)
}

/** A fixed number of decimals without a negative zero. */
function decimals(number: number, digits: number): string {
  const text = number.toFixed(digits)
  return Number(text) === 0 ? (0).toFixed(digits) : text
}

/** The number, or null where it is undefined or not finite: what a scale or a chart can draw. */
export function finiteOrNull(value: MaybeNumber | undefined): number | null {
  if (value === undefined) return null
  const number = fromMaybeNumber(value)
  return number !== null && Number.isFinite(number) ? number : null
}

/** Nats with 3 decimals: log-probs, losses and KL. */
export function formatNats(value: MaybeNumber | undefined): string {
  return write(value, number => decimals(number, 3))
}

/** A difference in nats with its sign; zero has none. */
export function formatDifference(value: MaybeNumber | undefined): string {
  return write(value, number => {
    const text = decimals(number, 3)
    return Number(text) > 0 ? `+${text}` : text
  })
}

/** A log-prob as a probability in per cent with 1 decimal; below 0.1% in scientific form. */
export function formatProbability(logProb: MaybeNumber | undefined): string {
  return write(logProb === '-Infinity' ? 0 - Number.MAX_VALUE : logProb, number => formatShare(Math.exp(number)))
}

/** A share of one in per cent with 1 decimal; below 0.1% in scientific form. */
export function formatShare(value: MaybeNumber | undefined): string {
  return write(value, share => {
    const percent = share * 100
    if (percent === 0) return '0%'
    return Math.abs(percent) < 0.1 ? `${percent.toExponential(1)}%` : `${decimals(percent, 1)}%`
  })
}

/** An activation with 2 decimals. */
export function formatActivation(value: MaybeNumber | undefined): string {
  return write(value, number => decimals(number, 2))
}

/** A metric with 4 significant digits, e.g. MSE or L0. */
export function formatMetric(value: MaybeNumber | undefined): string {
  return write(value, number => {
    if (number !== 0 && (Math.abs(number) < 1e-3 || Math.abs(number) >= 1e6)) return number.toExponential(2)
    return Number.isInteger(number) ? String(number) : number.toPrecision(4)
  })
}

const grouped = new Intl.NumberFormat('en-US')

/** A whole number with thousands separators. */
export function formatCount(value: number): string {
  return grouped.format(value)
}

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB']

/** Bytes in decimal units, e.g. `1.2 GB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < byteUnits.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${byteUnits[unit]}`
}

/** Milliseconds, or seconds from ten seconds on. */
export function formatMilliseconds(milliseconds: number): string {
  return milliseconds >= 10_000 ? `${(milliseconds / 1000).toFixed(1)} s` : `${Math.round(milliseconds)} ms`
}

/** A parameter count as people say it: `1.2M`, `2.6B`. */
export function formatParameters(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)}B`
  if (count >= 1e6) return `${(count / 1e6).toFixed(1)}M`
  return count >= 1e3 ? `${(count / 1e3).toFixed(0)}k` : String(count)
}

/** The unrounded value as copied text; an undefined one is empty. */
export function fullValue(value: MaybeNumber | undefined): string {
  return value === undefined || value === null ? '' : String(value)
}

/** A length of time in seconds as people say it: `< 0.1 s`, `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 0.1) return '< 0.1 s'
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  const minutes = Math.round(whole / 60)
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
