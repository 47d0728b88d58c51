/** What the heat map of the logit lens can show of a cell, as numbers that a scale takes. */
import type { LensLayer, TokenStanding } from '../../../contract/logit-lens.ts'
import { fromMaybeNumber, type MaybeNumber } from '../../../contract/numbers.ts'
import { formatNats, formatShare } from '../../state/numbers.ts'

export type QuantityId = 'top' | 'final' | 'actual' | 'kl' | 'final-rank' | 'actual-rank'

/** `value` is NaN where there is nothing to show; `bound` is how far the scale reaches, null for the largest value shown. */
export type Quantity = {
  id: QuantityId
  label: string
  /** What the scale's numbers are. */
  unit: string
  bound: number | null
  value: (layer: LensLayer, at: number) => number
  /** A value, or a difference of two, in words. */
  text: (value: number) => string
}

function number(value: MaybeNumber | undefined): number {
  return fromMaybeNumber(value ?? null) ?? Number.NaN
}

const probabilityOf = ({ logProbs }: TokenStanding, at: number) => Math.exp(number(logProbs[at]))
/** Ranks reach from 0 to the vocabulary's size: their logarithm shows both ends. */
const rankOf = ({ ranks }: TokenStanding, at: number) => Math.log10(1 + (ranks[at] ?? Number.NaN))

const inShares = (value: number) => formatShare(value)
const inNats = (value: number) => `${formatNats(value)} nats`
const inRanks = (value: number) => `log10(1 + rank) ${value.toFixed(2)}`

export const quantities: readonly Quantity[] = [
  {
    id: 'top',
    label: 'probability of the top token',
    unit: 'probability',
    bound: 1,
    value: ({ topK }, at) => Math.exp(number(topK[at]?.[0]?.logProb)),
    text: inShares
  },
  {
    id: 'final',
    label: 'probability of the final prediction',
    unit: 'probability',
    bound: 1,
    value: ({ final }, at) => probabilityOf(final, at),
    text: inShares
  },
  {
    id: 'actual',
    label: 'probability of the actual token',
    unit: 'probability',
    bound: 1,
    value: ({ actual }, at) => probabilityOf(actual, at),
    text: inShares
  },
  {
    id: 'final-rank',
    label: 'rank of the final prediction',
    unit: 'log10(1 + rank)',
    bound: null,
    value: ({ final }, at) => rankOf(final, at),
    text: inRanks
  },
  {
    id: 'actual-rank',
    label: 'rank of the actual token',
    unit: 'log10(1 + rank)',
    bound: null,
    value: ({ actual }, at) => rankOf(actual, at),
    text: inRanks
  },
  {
    id: 'kl',
    label: 'KL to the final prediction',
    unit: 'nats',
    bound: null,
    value: ({ klToFinal }, at) => number(klToFinal[at]),
    text: inNats
  }
]

/** The quantity of that name; the first one where there is none. */
export function quantityOf(id: string | undefined): Quantity {
  const found = quantities.find(quantity => quantity.id === id) ?? quantities[0]
  if (found === undefined) throw new Error('there are no quantities')
  return found
}

/**
 * Values [layer, position] in the order of the layers given; of two variants' layers their difference. An infinity on both sides is
 * none, as a NaN.
 */
export function matrixOf(
  { value }: Quantity,
  layers: readonly LensLayer[],
  against: readonly LensLayer[] | null,
  positions: number
): Float32Array {
  const values = new Float32Array(layers.length * positions)
  for (const [row, layer] of layers.entries()) {
    const other = against?.find(({ label }) => label === layer.label)
    for (let at = 0; at < positions; at++) {
      values[row * positions + at] = value(layer, at) - (other === undefined ? 0 : value(other, at))
    }
  }
  return values
}

/** How far a scale has to reach for these values. */
export function boundOf({ bound }: Quantity, values: Float32Array, isDifference: boolean): number {
  if (bound !== null && !isDifference) return bound
  return values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0)
}
