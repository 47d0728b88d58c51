/** Continuations as a table: a row for each step, a token of each variant beside the others. */
import type { GeneratedToken } from '../../../contract/generation.ts'
import { toTsv } from '../../components/tsv.ts'
import { partingStep, type WrittenContinuation } from '../../state/continuations.ts'
import { fullValue } from '../../state/numbers.ts'

/** A step: the token of each variant, in the variants' order; undefined where a continuation has ended before. */
export type GeneratedRow = { step: number; tokens: (GeneratedToken | undefined)[] }

/** The rows of one sample. */
export function generatedRows(continuations: readonly WrittenContinuation[]): GeneratedRow[] {
  const length = Math.max(0, ...continuations.map(({ tokens }) => tokens.length))
  return Array.from({ length }, (_, step) => ({ step, tokens: continuations.map(({ tokens }) => tokens[step]) }))
}

/** Whether a continuation's token of a step stands after the same tokens as clean's. */
export function hasSamePast(continuation: WrittenContinuation, clean: WrittenContinuation | undefined, step: number): boolean {
  if (clean === undefined || clean.tokens.length < step) return false
  const parts = partingStep(continuation.tokens, clean.tokens)
  return parts === null || step <= parts
}

/** Every token with its full values, and the strongest feature of each SAE. */
export function generatedTsv(continuations: readonly WrittenContinuation[]): string {
  const saes = [...new Set(continuations.flatMap(({ features }) => features.flatMap(atToken => Object.keys(atToken ?? {}))))]
  const rows = continuations.flatMap(({ variant, sample, tokens, features }) =>
    tokens.map((token, step) => [
      variant,
      String(sample),
      String(step),
      String(token.id),
      token.text,
      fullValue(token.logProb),
      String(token.rank),
      ...saes.flatMap(sae => {
        const strongest = features[step]?.[sae]?.[0]
        return [strongest === undefined ? '' : String(strongest.index), fullValue(strongest?.activation)]
      })
    ])
  )
  const columns = saes.flatMap(sae => [`${sae} strongest feature`, `${sae} activation`])
  return toTsv(['variant', 'sample', 'step', 'id', 'token', 'log-prob', 'rank', ...columns], rows)
}
