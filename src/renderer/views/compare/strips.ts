/** What the strips show: one row of values per variant and one of differences, over the tokens and the `next` cell. */
import type { MaybeNumber } from '../../../contract/numbers.ts'
import type { RunResult } from '../../../contract/run.ts'
import { finiteOrNull } from '../../state/numbers.ts'
import { klInto } from './prediction.ts'

export type DifferenceMeasure = 'log-prob' | 'kl'

/** Values (nats) per position 0..n; null where there is none. `texts[n]` is the variant's first guess of what follows. */
export type StripRow = {
  name: string
  kind: 'variant' | 'difference'
  values: MaybeNumber[]
  nextText: string
}

/** A variant's strip: the log-prob of each token, and its first guess in the `next` cell. */
export function variantRow(result: RunResult, name: string): StripRow {
  const variant = result.variants.find(candidate => candidate.name === name)
  const next = variant?.topK.at(-1)?.[0]
  return {
    name,
    kind: 'variant',
    values: [...result.tokens.map((_, i) => variant?.logProbs[i] ?? null), next?.logProb ?? null],
    nextText: next?.text ?? ''
  }
}

/** A variant against clean: difference of the tokens' log-probs, or KL of the prediction of each position (so `next` has one). */
export function differenceRow(result: RunResult, name: string, measure: DifferenceMeasure): StripRow {
  const clean = result.variants.find(candidate => candidate.name === 'clean')
  const variant = result.variants.find(candidate => candidate.name === name)
  const values = Array.from({ length: result.tokens.length + 1 }, (_, i): MaybeNumber => {
    if (measure === 'kl') return klInto(result, name, i)
    const one = finiteOrNull(variant?.logProbs[i])
    const other = finiteOrNull(clean?.logProbs[i])
    return one === null || other === null ? null : one - other
  })
  return { name, kind: 'difference', values, nextText: '' }
}

/** The largest absolute value of a row; 0 where it has none. */
export function largestValue(row: StripRow): number {
  return row.values.reduce<number>((most, value) => Math.max(most, Math.abs(finiteOrNull(value) ?? 0)), 0)
}
