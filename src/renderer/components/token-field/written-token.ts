/** A token as it is written in a field, and those that a field offers. */
import type { NamedToken } from '../../../contract/quantity.ts'
import type { RunResult } from '../../../contract/run.ts'
import { formatProbability } from '../../state/numbers.ts'

/** A token as it is written in a field, with its id where a list gave it. */
export type WrittenToken = { text: string; id: number | null }

/** What a token field means: a chosen token, `#123` as an id, else text. */
export function namedToken({ text, id }: WrittenToken): NamedToken {
  if (id !== null) return { id }
  const [, digits] = /^(?:#|\[)(\d+)\]?$/.exec(text) ?? []
  return digits === undefined ? { text } : { id: Number(digits) }
}

/** A token that a field offers, and why. */
export type OfferedToken = { id: number; text: string; what: string }

/** What follows a position of a run, and what its first variant predicts there. */
export function offeredAt({ tokens, variants }: RunResult, position: number): OfferedToken[] {
  const follows = tokens[position + 1]
  const predicted = variants[0]?.topK[position] ?? []
  return [
    ...(follows === undefined ? [] : [{ id: follows.id, text: follows.text, what: 'follows here' }]),
    ...predicted.filter(({ id }) => id !== follows?.id).map(({ id, text, logProb }) => ({ id, text, what: formatProbability(logProb) }))
  ]
}
