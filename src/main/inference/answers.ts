/**
 * Scores answers to a prompt, as TransformerLens's `test_prompt` does: each answer token's rank, logit and probability after the prompt and
 * the answer's tokens before it. The prompt runs once; the answers go on from it side by side.
 */
import type { Answer, AnswerResult, RankedToken, TokenVerdict } from '../../contract/answers.ts'
import { SpliceError } from '../../contract/errors.ts'
import { toMaybeNumber } from '../../contract/numbers.ts'
import type { Token } from '../../contract/run.ts'
import type { AnswersJob, InferredAnswers } from './messages.ts'
import type { OpenModel } from './models.ts'
import { requireContext, requireIds } from './prompt-tokens.ts'
import { type InferenceState, type Pause, prepare, promptOf } from './run.ts'
import { largest, logSumExp, rankOf } from './sampling.ts'
import { openSequences } from './sequence-pass.ts'

/** An answer's tokens. Throws `run/empty-answer` and `run/token-id`. */
function tokensOf(answer: Answer, prependSpace: boolean, model: OpenModel): Token[] {
  const text = 'text' in answer && answer.text !== '' && prependSpace && !answer.text.startsWith(' ') ? ` ${answer.text}` : null
  const ids = 'ids' in answer ? answer.ids : model.vocabulary.encode(text ?? answer.text, false).ids
  if (ids.length === 0) {
    throw new SpliceError('run/empty-answer', 'an answer is empty', { field: 'answers', hint: 'Type some text, or give token ids.' })
  }
  requireIds(ids, 'answers', model)
  return ids.map(id => model.vocabulary.token(id))
}

function ranked(logits: Float32Array, total: number, topK: number, { vocabulary }: OpenModel): RankedToken[] {
  if (Number.isNaN(total)) return []
  return largest(logits, topK).map(({ value, place }) => ({
    id: place,
    text: vocabulary.token(place).text,
    logit: toMaybeNumber(value),
    probability: toMaybeNumber(Math.exp(value - total))
  }))
}

function judge(name: string, id: number, logits: Float32Array, topK: number, model: OpenModel): TokenVerdict {
  const total = logSumExp(logits)
  const logit = logits[id] ?? Number.NaN
  return {
    name,
    rank: Number.isNaN(total) ? null : rankOf(logits, id),
    logit: toMaybeNumber(logit),
    probability: toMaybeNumber(Math.exp(logit - total)),
    logProb: toMaybeNumber(logit - total),
    topK: ranked(logits, total, topK, model)
  }
}

/** Scores a job's answers. Throws what is wrong with its files or its request, and what `pause` throws. */
export async function scoreAnswers(job: AnswersJob, state: InferenceState, pause: Pause): Promise<InferredAnswers> {
  const prepared = await prepare(job, state)
  const { model, tokens: prompt } = prepared
  const answers = job.answers.map(answer => tokensOf(answer, job.prependSpace, model))
  const longest = Math.max(...answers.map(answer => answer.length))
  requireContext(prompt.length + longest, 'the prompt and its longest answer have', model)
  const { pass, chosen, warnings } = await openSequences({ ...job, topFeatures: 0 }, prepared, state, (stage, fraction) =>
    pause(stage, fraction * 0.3)
  )
  const first = await pass.prompt(prompt, job.variants, (stage, fraction) => pause(stage, 0.3 + 0.5 * fraction))

  const verdicts = answers.map(answer => answer.map((): TokenVerdict[] => []))
  for (const [which, answer] of answers.entries()) {
    for (const [row, { name }] of job.variants.entries()) {
      verdicts[which]?.[0]?.push(judge(name, answer[0]?.id ?? 0, first.logits(row), job.topK, model))
    }
  }
  // A row for each answer that has more tokens, under each variant.
  let rows = answers.flatMap((answer, which) => job.variants.map((variant, row) => ({ answer, which, variant, row })))
  pass.select(rows.map(({ row }) => row))
  for (let place = 1; place < longest; place++) {
    const kept = rows.flatMap(({ answer }, index) => (answer.length > place ? [index] : []))
    rows = rows.filter(({ answer }) => answer.length > place)
    pass.select(kept)
    const result = await pass.next(
      rows.flatMap(({ answer }) => answer.slice(place - 1, place)),
      rows.map(({ variant }) => variant),
      () => pause(`answer token ${place + 1}`, 0.8 + (0.2 * place) / longest)
    )
    for (const [index, { answer, which, variant }] of rows.entries()) {
      verdicts[which]?.[place]?.push(judge(variant.name, answer[place]?.id ?? 0, result.logits(index), job.topK, model))
    }
  }

  return {
    model: { path: model.checkpoint.folder, name: model.name },
    ...promptOf(prepared),
    layerOrder: job.layerOrder,
    provider: chosen.provider,
    warnings,
    answers: answers.map((answer, which): AnswerResult => {
      const tokens = answer.map((token, place) => ({ ...token, variants: verdicts[which]?.[place] ?? [] }))
      const logProbs = job.variants.map(({ name }, row) => ({
        name,
        logProb: toMaybeNumber(tokens.reduce((sum, token) => sum + Number(token.variants[row]?.logProb ?? Number.NaN), 0))
      }))
      return { text: model.vocabulary.continuationText(prompt, answer), tokens, logProbs }
    }),
    topK: job.variants.map(({ name }, row) => {
      const logits = first.logits(row)
      return { name, tokens: ranked(logits, logSumExp(logits), job.topK, model) }
    }),
    mappedBytes: state.plans.mappedBytes
  }
}
