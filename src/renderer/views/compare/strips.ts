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

/** A variant against the baseline, which is the first one: difference of the tokens' log-probs; or KL(clean || variant) of the prediction of each position, so `next` has one. */
export function differenceRow(result: RunResult, name: string, measure: DifferenceMeasure): StripRow {
  const baseline = result.variants[0]
  const variant = result.variants.find(candidate => candidate.name === name)
  const values = Array.from({ length: result.tokens.length + 1 }, (_, i): MaybeNumber => {
    if (measure === 'kl') return klInto(result, name, i)
    const one = finiteOrNull(variant?.logProbs[i])
    const other = finiteOrNull(baseline?.logProbs[i])
    return one === null || other === null ? null : one - other
  })
  return { name, kind: 'difference', values, nextText: '' }
}

/** How much more a variant loses than the baseline, in nats. */
export function lossIncrease(result: RunResult, name: string): number | null {
  const one = finiteOrNull(result.variants.find(variant => variant.name === name)?.loss)
  const baseline = finiteOrNull(result.variants[0]?.loss)
  return one === null || baseline === null ? null : one - baseline
}

/** The largest absolute value of a row; 0 where it has none. */
export function largestValue(row: StripRow): number {
  return row.values.reduce<number>((most, value) => Math.max(most, Math.abs(finiteOrNull(value) ?? 0)), 0)
}
