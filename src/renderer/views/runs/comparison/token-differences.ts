/** What two runs gave the same tokens. */
import type { Token } from '../../../../contract/run.ts'
import { finiteOrNull } from '../../../state/numbers.ts'
import { alignTokens } from './alignment.ts'
import type { ComparedRun } from './compared-run.ts'

/** A token of the baseline; `other` is its position in the other run, null where that lacks it. Log-probs in nats. */
export type TokenDifference = {
  token: Token
  position: number
  other: number | null
  base: number | null
  logProb: number | null
  /** The other run's log-prob minus the baseline's; null where either has none. */
  difference: number | null
}

export type TokenDifferences = {
  tokens: TokenDifference[]
  /** How many tokens both runs have. */
  shared: number
  /** Mean of the differences; null without any. */
  mean: number | null
  /** Mean of their absolute values. */
  meanAbsolute: number | null
}

/** The baseline's tokens, each with what the other run gave it. */
export function tokenDifferences(baseline: ComparedRun, other: ComparedRun): TokenDifferences {
  const logProbsOf = ({ result, variant }: ComparedRun) => result.variants.find(({ name }) => name === variant)?.logProbs ?? []
  const [base, its] = [logProbsOf(baseline), logProbsOf(other)]
  const aligned = alignTokens(
    baseline.result.tokens.map(({ id }) => id),
    other.result.tokens.map(({ id }) => id)
  )
  const tokens = baseline.result.tokens.map((token, position): TokenDifference => {
    const at = aligned[position] ?? null
    const [own, otherOwn] = [finiteOrNull(base[position]), at === null ? null : finiteOrNull(its[at])]
    return {
      token,
      position,
      other: at,
      base: own,
      logProb: otherOwn,
      difference: own === null || otherOwn === null ? null : otherOwn - own
    }
  })
  const differences = tokens.flatMap(({ difference }) => (difference === null ? [] : [difference]))
  const meanOf = (values: readonly number[]) => (values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length)
  return {
    tokens,
    shared: aligned.filter(at => at !== null).length,
    mean: meanOf(differences),
    meanAbsolute: meanOf(differences.map(Math.abs))
  }
}
