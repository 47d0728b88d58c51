/** How a predicted token's place moved against another list of predictions. */
import type { MaybeNumber } from '../../../contract/numbers.ts'

/** A predicted token and its log-prob (nats). */
export type Guess = { id: number; text: string; logProb: MaybeNumber }

/**
 * What one variant predicts, best first; `actual` is the token that stands there, null where none does. `isComparable` is false where
 * other tokens stand before it than in clean, so that places say nothing.
 */
export type GuessColumn = { variant: string; color: string; guesses: readonly Guess[]; actual: number | null; isComparable?: boolean }

/** Places up (positive) or down against `baseline`, `new` where that list lacks the token. */
export function movement(token: Pick<Guess, 'id'>, place: number, baseline: readonly Pick<Guess, 'id'>[]): number | 'new' {
  const before = baseline.findIndex(other => other.id === token.id)
  return before < 0 ? 'new' : before - place
}

export function movementInWords(moved: number | 'new', baseline: string): string {
  if (moved === 'new') return `not in the list of ${baseline}`
  if (moved === 0) return `the same place as in ${baseline}`
  return `${Math.abs(moved)} ${Math.abs(moved) === 1 ? 'place' : 'places'} ${moved > 0 ? 'up' : 'down'} against ${baseline}`
}

/** A movement as a sign. */
export function movementSign(moved: number | 'new'): string {
  return moved === 'new' ? 'new' : moved === 0 ? '' : moved > 0 ? `▲${moved}` : `▼${-moved}`
}
