/**
 * What predicted a token. `logProbs[i]` and `ranks[i]` belong to token i; top-k, KL and features at i belong to what follows.
 * So the prediction of token i was made at position i - 1, and position n (the `next` cell) holds the prediction after the last token.
 */
import type { MaybeNumber } from '../../../contract/numbers.ts'
import type { PredictedToken, RunResult } from '../../../contract/run.ts'

/** One variant's prediction of a position: what it gave the actual token (null for `next`), its top-k, and KL(clean || variant) there (nats). */
export type Prediction = {
  variant: string
  logProb: MaybeNumber
  rank: number | null
  topK: PredictedToken[]
  klDivergence: MaybeNumber
}

/** Every variant's prediction of position i (1 to n, n is `next`); empty for token 0, which nothing predicts. */
export function predictionsOf(result: RunResult, i: number): Prediction[] {
  if (i < 1) return []
  return result.variants.map(variant => ({
    variant: variant.name,
    logProb: variant.logProbs[i] ?? null,
    rank: variant.ranks[i] ?? null,
    topK: variant.topK[i - 1] ?? [],
    klDivergence: klInto(result, variant.name, i)
  }))
}

/** KL(clean || variant) (nats) of the prediction of position i, which was made at i - 1; null for token 0 and for clean. */
export function klInto(result: RunResult, variant: string, i: number): MaybeNumber {
  return result.comparison.find(comparison => comparison.variant === variant)?.klDivergence[i - 1] ?? null
}
