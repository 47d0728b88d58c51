/** The token table as tab-separated values. */
import type { RunResult } from '../../../../contract/run.ts'
import { toTsv } from '../../../components/tsv.ts'
import { fullValue } from '../../../state/numbers.ts'
import { readingOf, sortedPositions, type TableChoice, tokenRow } from './token-rows.ts'

/** What `tokensTsv` writes, for a tooltip. */
export const tokensTsvExplained =
  'One row per token and feature, with the token’s own values repeated, so that a spreadsheet can filter and pivot it; a token without features has one row. Values are unrounded; the order, the features and the hidden tokens are as shown.'

/** One row per token and feature shown; the token's values are repeated, numbers are unrounded, several explanations are joined by ` | `. */
export function tokensTsv(result: RunResult, choice: TableChoice, positions: readonly number[] = sortedPositions(result, choice)): string {
  const reading = readingOf(result, choice)
  const source = result.saes.find(sae => sae.name === choice.sae)?.source ?? ''
  const header = [
    'position',
    'id',
    'text',
    ...result.variants.map(variant => `log-prob ${variant.name} (nats)`),
    ...(reading === null
      ? []
      : [
          'SAE',
          'source',
          'read in',
          'place',
          'feature',
          'activation',
          'known maximum',
          'share of maximum',
          'explanations',
          'explanation',
          'explainer'
        ])
  ]
  const rows = positions.flatMap(position => {
    const row = tokenRow(result, position, reading, choice)
    if (row === null) return []
    const own = [String(position), String(row.token.id), row.token.text, ...row.logProbs.map(fullValue)]
    if (reading === null) return [own]
    if (row.features.length === 0) return [[...own, choice.sae, source, choice.variant, ...Array.from({ length: 8 }, () => '')]]
    return row.features.map((feature, place) => [
      ...own,
      choice.sae,
      source,
      choice.variant,
      String(place),
      String(feature.index),
      fullValue(feature.activation),
      fullValue(feature.maxActivation),
      fullValue(feature.share),
      String(feature.explanations.length),
      feature.explanations.map(explanation => explanation.description).join(' | '),
      feature.explanations.map(explanation => explanation.explainer ?? '').join(' | ')
    ])
  })
  return toTsv(header, rows)
}
