/** The numbers of the chart by position: what token i got and the KL of its prediction, which was made at i - 1. */
import type { MaybeNumber } from '../../contract/numbers.ts'
import type { RunResult, Token } from '../../contract/run.ts'
import { toTsv } from '../components/tsv.ts'
import { fullValue } from '../state/numbers.ts'
import type { ShownVariant } from '../state/shown-variants.ts'
import { klInto } from '../views/compare/prediction.ts'

/** A line of the chart and its bars; values per position 0..n, null where there is none (n is `next`). `color` names a CSS variable. */
export type VariantSeries = {
  name: string
  color: string
  dashed: boolean
  logProbs: MaybeNumber[]
  /** KL(clean || variant), nats; null throughout for clean. */
  klDivergence: MaybeNumber[]
}

export type PositionSeries = { tokens: Token[]; variants: VariantSeries[] }

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
        logProbs: positions.map(i => logProbs[i] ?? null),
        klDivergence: positions.map(i => klInto(result, name, i))
      }
    })
  }
}

/** The series as tab-separated values, a row per position, unrounded. */
export function seriesTsv({ tokens, variants }: PositionSeries): string {
  const compared = variants.filter(variant => variant.name !== 'clean')
  const header = ['position', 'id', 'token', ...variants.map(({ name }) => `log-prob ${name}`), ...compared.map(({ name }) => `KL ${name}`)]
  const rows = Array.from({ length: tokens.length + 1 }, (_, i) => [
    String(i),
    String(tokens[i]?.id ?? ''),
    tokens[i]?.text ?? '(next)',
    ...variants.map(({ logProbs }) => fullValue(logProbs[i])),
    ...compared.map(({ klDivergence }) => fullValue(klDivergence[i]))
  ])
  return toTsv(header, rows)
}
