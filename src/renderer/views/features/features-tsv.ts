/** The ranking, and the activations behind the heat map, as tab-separated values; unrounded. */
import type { ExplainedFeature, Token } from '../../../contract/run.ts'
import { toTsv } from '../../components/tsv.ts'
import { fullValue } from '../../state/numbers.ts'
import type { RankedFeature, SparseFeatures } from './ranking.ts'

type Read = { sae: string; source: string | null; variant: string; tokens: readonly Token[] }

/** A row per feature in the order shown; several explanations are joined by ` | `. */
export function rankingTsv(ranked: readonly RankedFeature[], known: ReadonlyMap<number, ExplainedFeature>, read: Read): string {
  const header = [
    'SAE',
    'source',
    'read in',
    'rank',
    'feature',
    'max',
    'at position',
    'at token',
    'mean',
    'tokens',
    'known maximum',
    'density',
    'explanations',
    'explainers'
  ]
  const rows = ranked.map(({ index, max, at, mean, count }, rank) => {
    const { maxActivation, density, explanations = [] } = known.get(index) ?? {}
    return [
      read.sae,
      read.source ?? '',
      read.variant,
      String(rank),
      String(index),
      String(max),
      String(at),
      read.tokens[at]?.text ?? '',
      String(mean),
      String(count),
      fullValue(maxActivation),
      fullValue(density),
      explanations.map(({ description }) => description).join(' | '),
      explanations.map(({ explainer }) => explainer ?? '').join(' | ')
    ]
  })
  return toTsv(header, rows)
}

/** Where features fire: an entry per feature and token, features in the order given. */
export type FiringEntry = { index: number; position: number; activation: number }

/** The entries of some features on some positions, by feature, then by position. */
export function firingEntries(
  { starts, features, activations }: SparseFeatures,
  indices: readonly number[],
  positions: readonly number[]
): FiringEntry[] {
  const rank = new Map(indices.map((index, place) => [index, place]))
  const entries: FiringEntry[] = []
  for (const position of positions) {
    for (let entry = starts[position] ?? 0; entry < (starts[position + 1] ?? 0); entry++) {
      const index = features[entry] ?? -1
      if (rank.has(index)) entries.push({ index, position, activation: activations[entry] ?? 0 })
    }
  }
  return entries.sort((a, b) => (rank.get(a.index) ?? 0) - (rank.get(b.index) ?? 0) || a.position - b.position)
}

export function firingTsv(entries: readonly FiringEntry[], read: Read): string {
  const rows = entries.map(({ index, position, activation }) => {
    const token = read.tokens[position]
    return [read.sae, read.variant, String(index), String(position), String(token?.id ?? ''), token?.text ?? '', String(activation)]
  })
  return toTsv(['SAE', 'read in', 'feature', 'position', 'id', 'token', 'activation'], rows)
}
