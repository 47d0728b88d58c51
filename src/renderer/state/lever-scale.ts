/** How far a lever goes: bounds and steps of its slider, strengths as multiples of a feature's maximum, positions to choose from. */
import type { EditPositions, FeatureEdit } from '../../contract/run.ts'
import { positionsInWords } from './edit-words.ts'

export type EditKind = FeatureEdit['kind']

/** What activations are measured by: the known maximum, else the largest seen, else a number as good as any. */
export type Measure = { value: number; from: 'known' | 'seen' | 'none' }

export function measureOf(maximum: number | null, seen: number | null): Measure {
  if (maximum !== null && maximum > 0) return { value: maximum, from: 'known' }
  if (seen !== null && seen > 0) return { value: seen, from: 'seen' }
  return { value: 10, from: 'none' }
}

/** A number with three significant digits, and not the tail that arithmetic gives it. */
export function exact(value: number): number {
  return Number(value.toPrecision(3))
}

/** A slider's bounds, its step, where it begins, and the marks below it. */
export type LeverScale = { least: number; most: number; step: number; start: number; marks: { value: number; label: string }[] }

/** Multiply 0 to 4 times; set 0 to one and a half of the measure; steer twice the measure both ways. */
export function scaleOf(kind: EditKind, { value }: Measure): LeverScale {
  const times = (factor: number) => exact(factor * value)
  if (kind === 'scale') {
    return { least: 0, most: 4, step: 0.05, start: 2, marks: [0, 1, 2, 3, 4].map(factor => ({ value: factor, label: `×${factor}` })) }
  }
  const factors = kind === 'set' ? [0, 0.5, 1, 1.5] : [-2, -1, 0, 1, 2]
  const label = (factor: number) =>
    factor === 0 ? '0' : kind === 'set' ? `${factor}×max` : `${factor > 0 ? '+' : '−'}${Math.abs(factor)}×`
  const marks = factors.map(factor => ({ value: times(factor), label: label(factor) }))
  const step = 10 ** Math.floor(Math.log10(value / 20))
  return { least: times(factors[0] ?? 0), most: times(factors.at(-1) ?? 1), step, start: times(1), marks }
}

/** Several strengths as they are typed, `-1, 0, +1, +2` with an `x` or `×` behind any of them; null where one of them is no number. */
export function parseStrengths(text: string): number[] | null {
  const parts = text
    .replaceAll('−', '-')
    .split(/[\s,;]+/)
    .filter(part => part !== '')
  const numbers = parts.map(part => (/^[+-]?(\d+\.?\d*|\.\d+)[x×]?$/i.test(part) ? Number.parseFloat(part) : Number.NaN))
  if (numbers.length === 0 || numbers.some(Number.isNaN)) return null
  return [...new Set(numbers)]
}

/** A number as it is typed into a field; null where it is none. */
export function parseNumber(text: string): number | null {
  const typed = text.trim().replaceAll('−', '-')
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(typed) ? Number(typed) : null
}

/**
 * The positions that a person can choose: all, a token, from it on, from the first new token on where something is generated, and what is in
 * force already.
 */
export function positionChoices(
  token: number | null,
  firstNew: number | null,
  inForce: EditPositions
): { label: string; positions: EditPositions }[] {
  const choices: { label: string; positions: EditPositions }[] = [
    { label: 'all tokens', positions: 'all' },
    { label: 'all but special tokens', positions: 'no-special' }
  ]
  if (token !== null) {
    choices.push(
      { label: `token ${token} alone`, positions: [[token, token + 1]] },
      { label: `from token ${token} on`, positions: [[token, null]] }
    )
  }
  if (firstNew !== null) choices.push({ label: 'from the first new token on', positions: [[firstNew, null]] })
  if (!choices.some(({ positions }) => isSame(positions, inForce)))
    choices.push({ label: `tokens ${positionsInWords(inForce)}`, positions: inForce })
  return choices
}

export function isSame(one: EditPositions, other: EditPositions): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
