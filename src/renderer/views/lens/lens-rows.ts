/** The heat map's cells as rows of a table, and all variants' as tab-separated values. */
import type { LensResult, LensVariant } from '../../../contract/logit-lens.ts'
import { fromMaybeNumber, type MaybeNumber } from '../../../contract/numbers.ts'
import type { PredictedToken, Token } from '../../../contract/run.ts'
import { toTsv } from '../../components/tsv.ts'
import { fullValue } from '../../state/numbers.ts'

/** A cell: what a layer of a variant says follows a token. `actual` is the token that does. */
export type LensCell = {
  label: string
  /** The layer's place in the model, and the position in the prompt. */
  layer: number
  position: number
  token: Token | undefined
  top: readonly PredictedToken[]
  klToFinal: MaybeNumber
  final: Token | null
  finalLogProb: MaybeNumber
  finalRank: number | null
  actual: Token | undefined
  actualLogProb: MaybeNumber
  actualRank: number | null
}

/** One cell; null where the lens has no such label or position. */
export function cellAt(result: LensResult, variant: LensVariant | undefined, label: string, position: number): LensCell | null {
  const [start, end] = result.positions
  const at = position - start
  const layer = variant?.layers.findIndex(candidate => candidate.label === label) ?? -1
  const its = variant?.layers[layer]
  if (variant === undefined || its === undefined || position < start || position >= end) return null
  return {
    label,
    layer,
    position,
    token: result.tokens[position],
    top: its.topK[at] ?? [],
    klToFinal: its.klToFinal[at] ?? null,
    final: variant.final[at] ?? null,
    finalLogProb: its.final.logProbs[at] ?? null,
    finalRank: its.final.ranks[at] ?? null,
    actual: result.tokens[position + 1],
    actualLogProb: its.actual.logProbs[at] ?? null,
    actualRank: its.actual.ranks[at] ?? null
  }
}

/** All cells of a variant, by position, then from the last layer down. */
export function cellsOf(result: LensResult, variant: LensVariant): LensCell[] {
  const [start, end] = result.positions
  const labels = variant.layers.map(({ label }) => label).reverse()
  return Array.from({ length: end - start }, (_, at) => start + at).flatMap(position =>
    labels.flatMap(label => cellAt(result, variant, label, position) ?? [])
  )
}

export type LensColumn = 'position' | 'layer' | 'top' | 'kl' | 'final' | 'actual'

/** What a column sorts by; null where a cell has nothing there. */
export function keyOf(cell: LensCell, column: LensColumn): number | null {
  switch (column) {
    case 'position':
    case 'layer':
      return cell[column]
    case 'top':
      return fromMaybeNumber(cell.top[0]?.logProb ?? null)
    case 'kl':
      return fromMaybeNumber(cell.klToFinal)
    case 'final':
      return cell.finalRank
    case 'actual':
      return cell.actualRank
  }
}

/** A row for each variant, position and layer; unrounded. Log-probs and KL are in nats, a rank of 0 is the best. */
export function lensTsv(result: LensResult): string {
  const header = [
    'variant',
    'layer',
    'position',
    'id',
    'token',
    'top id',
    'top token',
    'top log-prob',
    'KL(final || layer)',
    'final id',
    'final token',
    'final log-prob',
    'final rank',
    'actual id',
    'actual token',
    'actual log-prob',
    'actual rank'
  ]
  const rows = result.variants.flatMap(variant =>
    cellsOf(result, variant).map(cell => [
      variant.name,
      cell.label,
      String(cell.position),
      String(cell.token?.id ?? ''),
      cell.token?.text ?? '',
      String(cell.top[0]?.id ?? ''),
      cell.top[0]?.text ?? '',
      fullValue(cell.top[0]?.logProb),
      fullValue(cell.klToFinal),
      String(cell.final?.id ?? ''),
      cell.final?.text ?? '',
      fullValue(cell.finalLogProb),
      fullValue(cell.finalRank),
      String(cell.actual?.id ?? ''),
      cell.actual?.text ?? '',
      fullValue(cell.actualLogProb),
      fullValue(cell.actualRank)
    ])
  )
  return toTsv(header, rows)
}
