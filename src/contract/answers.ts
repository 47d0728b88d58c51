/** How well a model knows an answer: TransformerLens's `test_prompt`, for several answers, whole ones, under several variants. */
import { z } from 'zod'
import { maybeNumber } from './numbers.ts'
import { runRequest, runResult, token } from './run.ts'

/** Text is tokenized without BOS, with a space in front unless it has one or none is wanted; ids are used as they are. */
export const answer = z.union([z.object({ text: z.string() }), z.object({ ids: z.array(z.int()).min(1) })])
export type Answer = z.infer<typeof answer>

export const answersRequest = runRequest
  .pick({ model: true, saes: true, prompt: true, variants: true, processing: true, layerOrder: true, provider: true, precision: true })
  .extend({
    answers: z.array(answer).min(1).max(100),
    prependSpace: z.boolean().default(true),
    topK: z.int().min(1).max(1000).default(10)
  })
export type AnswersRequest = z.infer<typeof answersRequest>

/** A predicted token; `rank` 0 is best. */
export const rankedToken = z.object({ id: z.int(), text: z.string(), logit: maybeNumber, probability: maybeNumber })
export type RankedToken = z.infer<typeof rankedToken>

/** What a variant says of an answer's token, given the prompt and the answer's tokens before it; `topK` is predicted there. */
export const tokenVerdict = z.object({
  name: z.string(),
  /** How many tokens are more probable; null where logits are not numbers. */
  rank: z.int().nullable(),
  logit: maybeNumber,
  probability: maybeNumber,
  logProb: maybeNumber,
  topK: z.array(rankedToken)
})
export type TokenVerdict = z.infer<typeof tokenVerdict>

export const answerResult = z.object({
  text: z.string(),
  tokens: z.array(token.extend({ variants: z.array(tokenVerdict) })),
  /** The whole answer, by variant: the sum of its tokens' log-probs. */
  logProbs: z.array(z.object({ name: z.string(), logProb: maybeNumber }))
})
export type AnswerResult = z.infer<typeof answerResult>

export const answersResult = runResult
  .pick({
    model: true,
    tokens: true,
    bosAdded: true,
    spans: true,
    processing: true,
    processingReason: true,
    layerOrder: true,
    provider: true,
    warnings: true
  })
  .extend({
    answers: z.array(answerResult),
    /** Predicted after the prompt, by variant. */
    topK: z.array(z.object({ name: z.string(), tokens: z.array(rankedToken) }))
  })
export type AnswersResult = z.infer<typeof answersResult>

export const answersEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), stage: z.string(), fraction: z.number().min(0).max(1) }),
  z.object({ type: z.literal('result'), result: answersResult })
])
export type AnswersEvent = z.infer<typeof answersEvent>
