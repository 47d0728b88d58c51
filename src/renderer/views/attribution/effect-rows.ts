/** Effects as a table and a chart list them: in an order of choice, and as text that a spreadsheet takes. */
import type { AttributionResult, FeatureEffect } from '../../../contract/attribution.ts'
import { toTsv } from '../../components/tsv.ts'
import { finiteOrNull, fullValue } from '../../state/numbers.ts'

/** What effects are ordered by: their size, the effect with its sign, the activation, the position, or the feature's number. */
export type EffectOrder = { by: 'size' | 'effect' | 'activation' | 'position' | 'feature'; descending: boolean }

const values: Record<EffectOrder['by'], (effect: FeatureEffect) => number> = {
  size: ({ effect }) => {
    const size = finiteOrNull(effect)
    return size === null ? -1 : Math.abs(size)
  },
  effect: ({ effect }) => finiteOrNull(effect) ?? 0,
  activation: ({ activation }) => finiteOrNull(activation) ?? 0,
  position: ({ position }) => position ?? -1,
  feature: ({ index }) => index
}

/** The effects in an order; equal ones stay as they were, largest effect first. */
export function orderEffects(effects: readonly FeatureEffect[], { by, descending }: EffectOrder): FeatureEffect[] {
  const value = values[by]
  const sign = descending ? -1 : 1
  return [...effects].sort((a, b) => sign * (value(a) - value(b)))
}

/** By what a row is known: a feature, at a position where each has its own. */
export function keyOf({ index, position }: Pick<FeatureEffect, 'index' | 'position'>): string {
  return `${index}@${position}`
}

/** All numbers in full, one line each. */
export function effectsTsv(effects: readonly FeatureEffect[], { tokens, sae, base }: AttributionResult): string {
  return toTsv(
    ['rank', 'source', 'feature', 'position', 'token', 'activation', 'effect', 'base', 'explanations'],
    effects.map(({ index, position, activation, effect, explanations }, rank) => [
      String(rank),
      sae.source ?? '',
      String(index),
      position === null ? '' : String(position),
      position === null ? '' : (tokens[position]?.text ?? ''),
      fullValue(activation),
      fullValue(effect),
      fullValue(base),
      explanations.map(({ description }) => description).join(' · ')
    ])
  )
}
