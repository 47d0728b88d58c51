/** A feature's activations on the tokens of the run that is shown, as far as the run's result tells them. */
import { fromMaybeNumber } from '../../../contract/numbers.ts'
import type { RunResult } from '../../../contract/run.ts'
import { pageSourceOf } from '../../state/route.ts'

/**
 * One SAE's reading of one variant. `values[i]` is the activation at token i: zero where the feature did not fire, null where
 * the result cannot tell, because it lists the strongest `listed` features of a token and this one is not among them.
 */
export type RunActivations = { sae: string; variant: string; listed: number; values: (number | null)[]; largest: number }

/** The activations of a feature in every reading by an SAE of its page's source; empty where the run has no such SAE. */
export function runActivations(result: RunResult, source: string, index: number): RunActivations[] {
  return result.saes
    .filter(sae => pageSourceOf(sae) === source)
    .flatMap(sae =>
      result.variants.flatMap(({ name }) => {
        const features = sae.byVariant[name]?.features
        if (features === undefined) return []
        const listed = Math.max(0, ...features.map(list => list.length))
        const values = features.map(list => {
          const found = list.find(feature => feature.index === index)
          if (found !== undefined) return fromMaybeNumber(found.activation)
          return list.length < listed ? 0 : null
        })
        const largest = Math.max(0, ...values.map(value => (value !== null && Number.isFinite(value) ? value : 0)))
        return [{ sae: sae.name, variant: name, listed, values, largest }]
      })
    )
}
