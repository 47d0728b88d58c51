/** The rows of the token table: which tokens, in which order, with which features of the chosen reading. */
import type { MaybeNumber } from '../../../../contract/numbers.ts'
import type { ActiveFeature, RunResult, SaeReading, Token } from '../../../../contract/run.ts'
import { finiteOrNull } from '../../../state/numbers.ts'

/** What orders a token's features: their activation, or its share of the feature's known maximum. */
export type Ranking = 'activation' | 'share'

/** A feature with `share` = activation / known maximum; null where no maximum is known. */
export type RankedFeature = ActiveFeature & { share: number | null }

/** `column` is `position`, `id`, `text`, `features` (the strongest one shown), or the index of a variant. */
export type Sort = { column: 'position' | 'id' | 'text' | 'features' | number; descending: boolean }

export type TableChoice = {
  /** An SAE's name and the variant it is read in; a name that the run lacks shows no features. */
  sae: string
  variant: string
  ranking: Ranking
  /** Features shown per token. */
  count: number
  hideSpecial: boolean
  sort: Sort
}

/** A token with its log-prob (nats) in every variant, in the order of the run's variants, and its features. */
export type TokenRow = { position: number; token: Token; logProbs: MaybeNumber[]; features: RankedFeature[] }

/** A token's features, best first, at most `count` (all unless told). Without a known maximum a feature ranks last by share. */
export function rankedFeatures(features: readonly ActiveFeature[], ranking: Ranking, count = features.length): RankedFeature[] {
  const ranked = features.map(feature => {
    const activation = finiteOrNull(feature.activation)
    const { maxActivation } = feature
    return { ...feature, share: activation === null || maxActivation === null || maxActivation <= 0 ? null : activation / maxActivation }
  })
  if (ranking === 'share') ranked.sort((one, other) => (other.share ?? -1) - (one.share ?? -1))
  return ranked.slice(0, count)
}

/** The reading that a choice names; null where the run has none of it. */
export function readingOf(result: RunResult, choice: Pick<TableChoice, 'sae' | 'variant'>): SaeReading | null {
  return result.saes.find(sae => sae.name === choice.sae)?.byVariant[choice.variant] ?? null
}

/** The most features that the reading lists at a token. */
export function mostFeatures(reading: SaeReading | null): number {
  return Math.max(0, ...(reading?.features ?? []).map(list => list.length))
}

/** Whether a share of a known maximum can be told for any feature of the reading. */
export function hasMaxima(reading: SaeReading | null): boolean {
  return reading?.features.some(list => list.some(feature => feature.maxActivation !== null && feature.maxActivation > 0)) ?? false
}

/** The row of one token. */
export function tokenRow(result: RunResult, position: number, reading: SaeReading | null, choice: TableChoice): TokenRow | null {
  const token = result.tokens[position]
  if (token === undefined) return null
  return {
    position,
    token,
    logProbs: result.variants.map(variant => variant.logProbs[position] ?? null),
    features: rankedFeatures(reading?.features[position] ?? [], choice.ranking, choice.count)
  }
}

/** The positions shown, in order. Undefined numbers sort last either way; equal ones keep the order of reading. */
export function sortedPositions(result: RunResult, choice: TableChoice): number[] {
  const { sort, hideSpecial } = choice
  const positions = result.tokens.flatMap((token, position) => (hideSpecial && token.special ? [] : [position]))
  const sign = sort.descending ? -1 : 1
  if (sort.column === 'position') return sort.descending ? positions.reverse() : positions
  if (sort.column === 'text') {
    const text = (position: number) => result.tokens[position]?.text ?? ''
    return positions.sort((one, other) => sign * compareText(text(one), text(other)) || one - other)
  }
  const value = sortValues(result, choice, sort.column)
  return positions.sort((one, other) => {
    const [a, b] = [value(one), value(other)]
    if (a === null || b === null) return a === b ? one - other : a === null ? 1 : -1
    return sign * (a - b) || one - other
  })
}

function sortValues(result: RunResult, choice: TableChoice, column: 'id' | 'features' | number): (position: number) => number | null {
  if (column === 'id') return position => result.tokens[position]?.id ?? null
  if (typeof column === 'number') return position => finiteOrNull(result.variants[column]?.logProbs[position])
  const reading = readingOf(result, choice)
  const strongest = (reading?.features ?? []).map(list => {
    const best = rankedFeatures(list, choice.ranking, 1)[0]
    return best === undefined ? null : choice.ranking === 'share' ? best.share : finiteOrNull(best.activation)
  })
  return position => strongest[position] ?? null
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
