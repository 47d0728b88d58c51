/** An evaluation's result as text for people: what was evaluated on what, the textbook numbers, SAELens's numbers. */
import type { EvaluationResult, SaelensMetrics } from '../../contract/evaluation.ts'
import type { MaybeNumber } from '../../contract/numbers.ts'
import { aligned } from './aligned.ts'
import { fixed, saeLine, signed } from './run-table.ts'

/** The whole text, ending in a line feed. Losses and KL are in nats. */
export function evaluationTable(result: EvaluationResult): string {
  return `${[heading(result), reconstruction(result), predictions(result), saelens(result)].join('\n\n')}\n`
}

function heading(result: EvaluationResult): string {
  const { model, sae, corpus, sequences, tokens, positions, context, seconds, provider } = result
  const processing = result.processing.length === 0 ? 'no processing' : result.processing.join(', ')
  const counted = positions === tokens ? '' : `, ${positions} of them counted`
  return [
    `${model.name}  ${processing} (${result.processingReason})`,
    saeLine({ ...sae, source: null }),
    `${corpus.file}  ${tokens} tokens${counted}, in ${sequences} ${sequences === 1 ? 'sequence' : 'sequences'} of at most ${context}`,
    `${provider}  ${seconds.toFixed(1)} s`
  ].join('\n')
}

function reconstruction(result: EvaluationResult): string {
  const { l0, l1, mse, explainedVariance, cosineSimilarity, features } = result
  return aligned(
    [
      ['L0', 'L1', 'MSE', 'explained variance', 'cosine', 'features that fired'],
      [fixed(l0, 1), fixed(l1), fixed(mse), fixed(explainedVariance), fixed(cosineSimilarity), `${features.fired} of ${features.total}`]
    ],
    new Set()
  )
}

function difference(loss: MaybeNumber, clean: MaybeNumber): string {
  return typeof loss === 'number' && typeof clean === 'number' ? signed(loss - clean) : '-'
}

function predictions({ ceClean, ceSpliced, ceZeroAblated, ceScore, klDivergence, klZeroAblated }: EvaluationResult): string {
  const rows = [
    ['clean', fixed(ceClean), '', '', ''],
    ['spliced', fixed(ceSpliced), difference(ceSpliced, ceClean), fixed(klDivergence), fixed(ceScore)],
    ['zero ablated', fixed(ceZeroAblated), difference(ceZeroAblated, ceClean), fixed(klZeroAblated), '']
  ]
  return aligned([['', 'loss', 'increase', 'KL', 'score'], ...rows], new Set([0]))
}

function saelens({ saelens: { all_tokens: all, exclude_special_tokens: excluding, batch_size_prompts: batch } }: EvaluationResult): string {
  const cell = (metrics: SaelensMetrics, name: string) => fixed(Object.entries(metrics).find(([key]) => key === name)?.[1] ?? null, 4)
  const rows = Object.keys(all).map(name => [name, cell(all, name), cell(excluding, name)])
  return aligned([[`SAELens, batches of ${batch}`, 'all tokens', 'special excluded'], ...rows], new Set([0]))
}
