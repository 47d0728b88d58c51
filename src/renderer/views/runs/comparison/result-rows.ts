/** The results of several runs side by side, each against the first. */
import type { MaybeNumber } from '../../../../contract/numbers.ts'
import { finiteOrNull } from '../../../state/numbers.ts'
import { type ComparedRun, saeKey } from './compared-run.ts'

export type ResultRow = {
  name: string
  /** The SAE that the number is of, by its name where that is of one SAE alone; null for the run's own numbers. */
  sae: { name: string; key: string } | null
  /** What it is, for the hover. */
  meaning: string
  form: 'nats' | 'metric' | 'share'
  /** Null where a run has no such number. */
  values: MaybeNumber[]
  /** Minus the first run's; null where either is missing or not finite. */
  differences: (number | null)[]
}

function rowOf(name: string, meaning: string, form: ResultRow['form'], values: MaybeNumber[], sae: ResultRow['sae'] = null): ResultRow {
  const base = finiteOrNull(values[0])
  return {
    name,
    sae,
    meaning,
    form,
    values,
    differences: values.map((value, at) => {
      const own = finiteOrNull(value)
      return at === 0 || base === null || own === null ? null : own - base
    })
  }
}

/** Loss, increase and KL of each run's variant; L0 and explained variance of each SAE, as read in it or else in clean. */
export function resultRows(runs: readonly ComparedRun[]): ResultRow[] {
  const ofVariant = (pick: (run: ComparedRun) => MaybeNumber | undefined) => runs.map(run => pick(run) ?? null)
  const comparisonOf = ({ result, variant }: ComparedRun) => result.comparison.find(comparison => comparison.variant === variant)
  const keys = [...new Set(runs.flatMap(run => run.result.saes.map(sae => saeKey(run, sae))))]
  const readingOf = (run: ComparedRun, key: string) => {
    const sae = run.result.saes.find(candidate => saeKey(run, candidate) === key)
    return sae?.byVariant[run.variant] ?? sae?.byVariant.clean
  }
  return [
    rowOf(
      'loss',
      "mean of -log-prob over the run's predicted tokens, nats",
      'nats',
      ofVariant(run => run.result.variants.find(({ name }) => name === run.variant)?.loss)
    ),
    rowOf(
      'loss increase',
      "loss minus that of the run's own clean variant, nats",
      'nats',
      ofVariant(run => comparisonOf(run)?.lossIncrease)
    ),
    rowOf(
      'mean KL',
      'mean KL(clean ‖ variant) within the run, nats',
      'nats',
      ofVariant(run => comparisonOf(run)?.meanKl)
    ),
    ...keys.flatMap(key => {
      const sae = { name: nameOf(runs, key), key }
      return [
        rowOf(
          'L0',
          'mean number of active features',
          'metric',
          ofVariant(run => readingOf(run, key)?.l0),
          sae
        ),
        rowOf(
          'explained variance',
          '1 - sum |x - recons|² / sum |x - mean|²',
          'share',
          ofVariant(run => readingOf(run, key)?.explainedVariance),
          sae
        )
      ]
    })
  ]
}

/** An SAE's name in the runs, where no other SAE has it there; else what tells it apart everywhere. */
function nameOf(runs: readonly ComparedRun[], key: string): string {
  const named = runs.flatMap(run => run.result.saes.map(sae => ({ name: sae.name, key: saeKey(run, sae) })))
  const names = new Set(named.filter(sae => sae.key === key).map(({ name }) => name))
  const [name] = names
  if (name === undefined || names.size > 1) return key
  return named.some(sae => sae.name === name && sae.key !== key) ? key : name
}
