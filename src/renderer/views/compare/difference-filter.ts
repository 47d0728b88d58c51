/** Which positions differ between variants by more than a threshold. */
import type { RunResult } from '../../../contract/run.ts'
import { finiteOrNull } from '../../state/numbers.ts'
import { klInto } from './prediction.ts'
import type { DifferenceMeasure } from './strips.ts'

/**
 * `nats`: |difference of log-probs|, or KL. `percent`: by how much of its baseline the probability of the token changed, in per cent;
 * KL has no such share and is always in nats.
 */
export type DifferenceUnit = 'nats' | 'percent'
export type Threshold = { measure: DifferenceMeasure; unit: DifferenceUnit; least: number }

/** The difference of a variant from the baseline at a position 0..n, always positive; null where there is none. */
export function differenceAt(
  result: RunResult,
  name: string,
  position: number,
  { measure, unit }: Omit<Threshold, 'least'>
): number | null {
  if (measure === 'kl') return finiteOrNull(klInto(result, name, position))
  const one = finiteOrNull(result.variants.find(variant => variant.name === name)?.logProbs[position])
  const baseline = finiteOrNull(result.variants[0]?.logProbs[position])
  if (one === null || baseline === null) return null
  return unit === 'nats' ? Math.abs(one - baseline) : 100 * Math.abs(Math.expm1(one - baseline))
}

/** The positions 0..n at which any variant differs by the threshold or more. */
export function positionsThatDiffer(result: RunResult, threshold: Threshold): number[] {
  const others = result.variants.slice(threshold.measure === 'kl' ? 0 : 1)
  return Array.from({ length: result.tokens.length + 1 }, (_, position) => position).filter(position =>
    others.some(({ name }) => (differenceAt(result, name, position, threshold) ?? -1) >= threshold.least)
  )
}
