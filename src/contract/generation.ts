/** Continuing a prompt: what is asked, what streams while it is written, and what there is in the end. */
import { z } from 'zod'
import { maybeNumber } from './numbers.ts'
import { activeFeature, predictedToken, runRequest, runResult, saeResult, token } from './run.ts'

/** How the next token is picked; TransformerLens's names and order of operations. */
export const sampling = z.object({
  /** 0 takes the most probable token, whatever the other settings say. */
  temperature: z.number().min(0).max(100).default(1),
  /** Only the k largest logits. */
  topK: z.int().min(1).nullable().default(null),
  /** Only the most probable tokens until their probabilities exceed p. */
  topP: z.number().gt(0).max(1).nullable().default(null),
  /** Taken off a token's logit for each time it stands in the sequence so far, after the division by the temperature. */
  frequencyPenalty: z.number().min(-100).max(100).default(0)
})
export type SamplingSettings = z.infer<typeof sampling>

export const seed = z
  .int()
  .min(0)
  .max(2 ** 31 - 1)

/** A prompt to be continued under several variants. A splice at all positions covers every generated token. */
export const generationRequest = runRequest
  .pick({ model: true, saes: true, prompt: true, variants: true, processing: true, layerOrder: true, provider: true, precision: true })
  .extend({
    sampling: sampling.prefault({}),
    maxNewTokens: z.int().min(1).max(100_000).default(50),
    /** Continuations of each variant. Sample i draws the same random numbers in every variant. */
    samples: z.int().min(1).max(64).default(1),
    stopAtEos: z.boolean().default(true),
    /** Null: a new one, which the answer tells. */
    seed: seed.nullable().default(null),
    /** Predictions and features listed for each token. */
    topK: z.int().min(1).max(100).default(10),
    topFeatures: z.int().min(0).max(100).default(5)
  })
export type GenerationRequest = z.infer<typeof generationRequest>

/** Which continuation: a variant's name and the sample's number from zero. */
export const continuationKey = z.object({ variant: z.string(), sample: z.int() })

/** A token that was generated: its natural log-prob and rank (0 is best) before any sampling setting, and what else was predicted there. */
export const generatedToken = token.extend({ logProb: maybeNumber, rank: z.int(), top: z.array(predictedToken) })
export type GeneratedToken = z.infer<typeof generatedToken>

/** Features that fired at a generated token, by SAE; strongest first. */
export const tokenFeatures = z.record(z.string(), z.array(activeFeature))
export type TokenFeatures = z.infer<typeof tokenFeatures>

/** Why a continuation ended: an end-of-text token, the most new tokens, or the model's context. */
export const ending = z.enum(['eos', 'length', 'context'])
export type Ending = z.infer<typeof ending>

export const continuation = continuationKey.extend({
  /** The new tokens alone. */
  text: z.string(),
  tokens: z.array(generatedToken),
  /** At each token; null where SAEs were not read. */
  features: z.array(tokenFeatures.nullable()),
  ending
})
export type Continuation = z.infer<typeof continuation>

export const generationResult = runResult
  .pick({
    model: true,
    tokens: true,
    bosAdded: true,
    spans: true,
    processing: true,
    processingReason: true,
    layerOrder: true,
    provider: true
  })
  .extend({
    providerReason: z.string(),
    warnings: z.array(z.string()),
    saes: z.array(saeResult.pick({ name: true, hook: true, hookOut: true, path: true, source: true })),
    continuations: z.array(continuation),
    seed,
    milliseconds: z.object({ load: z.number(), compile: z.number(), prompt: z.number(), generate: z.number() })
  })
export type GenerationResult = z.infer<typeof generationResult>

/** What a generation says while it writes: how far the prompt is; then step by step a token of each continuation that goes on, and its features; then all of it. */
export const generationEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), stage: z.string(), fraction: z.number().min(0).max(1) }),
  z.object({
    type: z.literal('tokens'),
    step: z.int(),
    tokens: z.array(continuationKey.extend({ token: generatedToken, ending: ending.nullable() }))
  }),
  z.object({ type: z.literal('features'), step: z.int(), features: z.array(continuationKey.extend({ features: tokenFeatures })) }),
  z.object({ type: z.literal('result'), result: generationResult })
])
export type GenerationEvent = z.infer<typeof generationEvent>
