/** The numbers of the charts: what token i got, the KL of its prediction, which was made at i - 1, and the features active at i itself. */
import type { MaybeNumber } from '../../contract/numbers.ts'
import type { RunResult, Token } from '../../contract/run.ts'
import { toTsv } from '../components/tsv.ts'
import { fullValue } from '../state/numbers.ts'
import { colorOfSae, type ShownVariant } from '../state/shown-variants.ts'
import { klInto } from '../views/compare/prediction.ts'

/** A line of the chart and its bars; values per position 0..n, null where there is none (n is `next`). `color` names a CSS variable. */
export type VariantSeries = {
  name: string
  color: string
  dashed: boolean
  /** Its place in the run from 1 on, whatever the order shown. */
  number: number
  logProbs: MaybeNumber[]
  /** KL(clean || variant), nats; null throughout for clean. */
  klDivergence: MaybeNumber[]
}

/** How many features of an SAE are active at each token, as read in the first variant that it has a reading of. */
export type L0Series = { sae: string; variant: string; color: string; values: number[] }

export type PositionSeries = { tokens: Token[]; variants: VariantSeries[]; l0: L0Series[] }

/** The series of a run in the order of its variants. */
export function positionSeries(result: RunResult, looks: readonly ShownVariant[]): PositionSeries {
  const positions = Array.from({ length: result.tokens.length + 1 }, (_, i) => i)
  return {
    tokens: result.tokens,
    variants: result.variants.map(({ name, logProbs }) => {
      const look = looks.find(variant => variant.name === name)
      return {
        name,
        color: look?.color ?? '--variant-clean',
        dashed: look?.dashed ?? false,
        number: looks.findIndex(variant => variant.name === name) + 1,
        logProbs: positions.map(i => logProbs[i] ?? null),
        klDivergence: positions.map(i => klInto(result, name, i))
      }
    }),
    l0: result.saes.flatMap(({ name: sae, byVariant }, place) => {
      const variant = result.variants.find(({ name }) => byVariant[name] !== undefined)?.name
      const values = variant === undefined ? undefined : byVariant[variant]?.active
      return variant === undefined || values === undefined ? [] : [{ sae, variant, color: colorOfSae(place), values }]
    })
  }
}

/** The series as tab-separated values, a row per position, unrounded. */
export function seriesTsv({ tokens, variants, l0 }: PositionSeries): string {
  const compared = variants.filter(variant => variant.name !== 'clean')
  const header = [
    'position',
    'id',
    'token',
    ...variants.map(({ name }) => `log-prob ${name}`),
    ...compared.map(({ name }) => `KL ${name}`),
    ...l0.map(({ sae, variant }) => `L0 ${sae} in ${variant}`)
  ]
  const rows = Array.from({ length: tokens.length + 1 }, (_, i) => [
    String(i),
    String(tokens[i]?.id ?? ''),
    tokens[i]?.text ?? '(next)',
    ...variants.map(({ logProbs }) => fullValue(logProbs[i])),
    ...compared.map(({ klDivergence }) => fullValue(klDivergence[i])),
    ...l0.map(({ values }) => fullValue(values[i]))
  ])
  return toTsv(header, rows)
}
