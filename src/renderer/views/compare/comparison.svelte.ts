/** How variants are compared: by which measure, above which threshold, and whether boxes show their numbers. It outlives the view. */
import type { RunResult } from '../../../contract/run.ts'
import { type DifferenceUnit, positionsThatDiffer } from './difference-filter.ts'
import type { DifferenceMeasure } from './strips.ts'

class Comparison {
  measure = $state<DifferenceMeasure>('log-prob')
  /** Whether only positions that differ are shown. */
  only = $state(false)
  least = $state(0.1)
  unit = $state<DifferenceUnit>('nats')
  /** Whether boxes show their numbers. */
  numbers = $state(false)

  /** The positions shown, or null for all. */
  positions(result: RunResult): number[] | null {
    if (!this.only || result.variants.length < 2) return null
    return positionsThatDiffer(result, { measure: this.measure, unit: this.measure === 'kl' ? 'nats' : this.unit, least: this.least })
  }
}

export const comparison = new Comparison()
