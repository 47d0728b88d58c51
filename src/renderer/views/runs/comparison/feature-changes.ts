/** Features that fire in one run and not in another, of SAEs that both have. */
import type { FeatureExplanation, SaeResult, Token } from '../../../../contract/run.ts'
import { finiteOrNull } from '../../../state/numbers.ts'
import { type ComparedRun, saeKey } from './compared-run.ts'

/** A feature's largest activation over a run's tokens, special ones left out; `before` is 0 in a run that does not list it. */
export type FeatureChange = { index: number; before: number; after: number; explanations: FeatureExplanation[] }

export type SaeChanges = { sae: string; source: string | null; gained: FeatureChange[]; lost: FeatureChange[]; moved: FeatureChange[] }

type Strongest = Map<number, { activation: number; explanations: FeatureExplanation[] }>

function strongest(sae: SaeResult, variant: string, tokens: readonly Token[]): Strongest {
  const reading = sae.byVariant[variant] ?? sae.byVariant.clean
  const known: Strongest = new Map()
  for (const [position, fired] of (reading?.features ?? []).entries()) {
    if (tokens[position]?.special !== false) continue
    for (const { index, activation, explanations } of fired) {
      const value = finiteOrNull(activation)
      if (value !== null && value > (known.get(index)?.activation ?? 0)) known.set(index, { activation: value, explanations })
    }
  }
  return known
}

/**
 * For every SAE of both runs the features that only the other lists (gained), that only the baseline lists (lost), and whose
 * largest activation moved most, `most` of each. Runs list the strongest features of each token, so a weak one may fire unlisted.
 */
export function featureChanges(baseline: ComparedRun, other: ComparedRun, most = 8): SaeChanges[] {
  return baseline.result.saes.flatMap(sae => {
    const key = saeKey(baseline, sae)
    const its = other.result.saes.find(candidate => saeKey(other, candidate) === key)
    if (its === undefined) return []
    const before = strongest(sae, baseline.variant, baseline.result.tokens)
    const after = strongest(its, other.variant, other.result.tokens)
    const changes = [...new Set([...before.keys(), ...after.keys()])].map((index): FeatureChange => {
      const [old, now] = [before.get(index), after.get(index)]
      return { index, before: old?.activation ?? 0, after: now?.activation ?? 0, explanations: (now ?? old)?.explanations ?? [] }
    })
    const first = (some: FeatureChange[], weight: (change: FeatureChange) => number) =>
      some.sort((one, two) => weight(two) - weight(one) || one.index - two.index).slice(0, most)
    return [
      {
        sae: key,
        source: sae.source,
        gained: first(
          changes.filter(({ index }) => !before.has(index)),
          change => change.after
        ),
        lost: first(
          changes.filter(({ index }) => !after.has(index)),
          change => change.before
        ),
        moved: first(
          changes.filter(change => before.has(change.index) && after.has(change.index) && change.before !== change.after),
          change => Math.abs(change.after - change.before)
        )
      }
    ]
  })
}
