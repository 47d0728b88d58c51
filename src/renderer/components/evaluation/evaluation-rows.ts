/** An evaluation's numbers as tables: what is shown, and what is copied. */
import type { EvaluationResult, SaelensMetrics } from '../../../contract/evaluation.ts'
import type { MaybeNumber } from '../../../contract/numbers.ts'
import { formatCount, formatDifference, formatMetric, formatNats, fullValue } from '../../state/numbers.ts'
import { toTsv } from '../tsv.ts'

/** A number with its name and what it means. */
export interface MetricRow {
  readonly name: string
  readonly text: string
  readonly meaning: string
}

/** How sparse the SAE is and how near its output is to its target. */
export function reconstructionRows(result: EvaluationResult): MetricRow[] {
  const { features } = result
  return [
    { name: 'L0', text: formatMetric(result.l0), meaning: 'active features of a token, on average' },
    { name: 'L1', text: formatMetric(result.l1), meaning: 'sum of a token’s activations, on average' },
    { name: 'MSE', text: formatMetric(result.mse), meaning: 'squared error of an element, on average' },
    { name: 'explained variance', text: formatMetric(result.explainedVariance), meaning: '1 − Σ|x − recons|² / Σ|x − mean|²' },
    { name: 'cosine', text: formatMetric(result.cosineSimilarity), meaning: 'of x and its reconstruction, on average' },
    {
      name: 'features fired',
      text: `${formatCount(features.fired)} of ${formatCount(features.total)}`,
      meaning: 'features that fired at least once'
    }
  ]
}

/** What becomes of the predictions; nats, and the score of the splice. */
export interface LossRow {
  readonly name: string
  readonly loss: string
  readonly increase: string
  readonly kl: string
}

function increase(loss: MaybeNumber, clean: MaybeNumber): string {
  return typeof loss === 'number' && typeof clean === 'number' ? formatDifference(loss - clean) : formatDifference(null)
}

/** The name of the file that was evaluated on, without its folder. */
export function fileNameOf({ corpus }: EvaluationResult): string {
  return corpus.file.split(/[\\/]/).at(-1) ?? corpus.file
}

/** The numbers that say most, on one line: `L0 15.25, explained variance 0.8838, loss +0.250`. */
export function evaluationSummary({ l0, explainedVariance, ceSpliced, ceClean }: EvaluationResult): string {
  return `L0 ${formatMetric(l0)}, explained variance ${formatMetric(explainedVariance)}, loss ${increase(ceSpliced, ceClean)}`
}

export function lossRows({ ceClean, ceSpliced, ceZeroAblated, klDivergence, klZeroAblated }: EvaluationResult): LossRow[] {
  return [
    { name: 'clean', loss: formatNats(ceClean), increase: '', kl: '' },
    { name: 'spliced', loss: formatNats(ceSpliced), increase: increase(ceSpliced, ceClean), kl: formatNats(klDivergence) },
    { name: 'zero ablated', loss: formatNats(ceZeroAblated), increase: increase(ceZeroAblated, ceClean), kl: formatNats(klZeroAblated) }
  ]
}

/** SAELens's numbers by its names, over all tokens and without the special ones. */
export function saelensRows({ saelens }: EvaluationResult): { name: string; all: MaybeNumber; excluding: MaybeNumber }[] {
  const excluding: Readonly<Record<string, MaybeNumber>> = saelens.exclude_special_tokens
  return Object.entries(saelens.all_tokens satisfies SaelensMetrics).map(([name, all]) => ({
    name,
    all,
    excluding: excluding[name] ?? null
  }))
}

const textbook = [
  'l0',
  'l1',
  'squaredError',
  'mse',
  'explainedVariance',
  'cosineSimilarity',
  'ceClean',
  'ceSpliced',
  'ceZeroAblated',
  'ceScore',
  'klDivergence',
  'klZeroAblated'
] as const

/** Every number, unrounded: a line for each, with whose definition it is by and over which tokens. */
export function evaluationTsv(result: EvaluationResult): string {
  const counted = result.positions === result.tokens ? 'all tokens' : 'special tokens left out'
  const own = textbook.map(name => [name, 'textbook', counted, fullValue(result[name])])
  const theirs = saelensRows(result).flatMap(({ name, all, excluding }) => [
    [name, 'SAELens', 'all tokens', fullValue(all)],
    [name, 'SAELens', 'special tokens left out', fullValue(excluding)]
  ])
  return toTsv(['metric', 'definition', 'tokens', 'value'], [...own, ...theirs])
}
