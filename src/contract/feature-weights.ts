/** What an SAE's weights say of a feature, without any download: its direction's logits and neighbours, and how encoder and decoder agree. */
import { z } from 'zod'
import { logitEffect } from './logit-effects.ts'
import { maybeNumber } from './numbers.ts'
import { runSae, token } from './run.ts'

/** An SAE whose directions are compared, by the name it is to have in the answer. */
export const comparedSae = runSae.pick({ name: true, path: true, hook: true, hookOut: true, normFactor: true })
export type ComparedSae = z.infer<typeof comparedSae>

/** A feature of `sae`; its direction is held to those of `sae` itself and of `others`, as far as they write as many numbers. */
export const featureWeightsRequest = z.object({
  model: z.string(),
  sae: comparedSae,
  feature: z.int().nonnegative(),
  others: z.array(comparedSae).max(64).default([]),
  /** Tokens listed at either end, and neighbours of each SAE. */
  count: z.int().min(1).max(100).default(10)
})
export type FeatureWeightsRequest = z.infer<typeof featureWeightsRequest>

/** Another feature and the cosine of the angle between its row of W_dec and the feature's; null where a row is zero. */
export const neighbour = z.object({ feature: z.int(), cosine: maybeNumber })

export const featureWeights = z.object({
  feature: z.int(),
  dSae: z.int(),
  hook: z.string(),
  /** Length of the row of W_dec and of the column of W_enc, as stored. */
  decoderNorm: maybeNumber,
  encoderNorm: maybeNumber,
  /** Cosine of the angle between the two; null where they live in different spaces, as a transcoder's. */
  encoderDecoderCosine: maybeNumber,
  /**
   * W_dec[feature] through the unembedding, with the final norm's gain, as in `explanations.checkLogits`; null where the SAE does not write to
   * the residual stream.
   */
  effects: z.object({ top: z.array(logitEffect), bottom: z.array(logitEffect) }).nullable(),
  /** Nearest first; its own SAE first. SAEs of another width are named in `incomparable`. */
  neighbours: z.array(z.object({ sae: z.string(), dSae: z.int(), nearest: z.array(neighbour) })),
  incomparable: z.array(z.string())
})
export type FeatureWeights = z.infer<typeof featureWeights>

export const featureWeightsEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), stage: z.string(), fraction: z.number().min(0).max(1) }),
  z.object({ type: z.literal('result'), weights: featureWeights })
])
export type FeatureWeightsEvent = z.infer<typeof featureWeightsEvent>

/** Runs of the history in which an SAE, known by its path or its source, listed a feature. */
export const firingsRequest = z.object({
  path: z.string(),
  source: z.string().nullable(),
  feature: z.int().nonnegative(),
  limit: z.int().min(1).max(100).default(12)
})
export type FiringsRequest = z.infer<typeof firingsRequest>

/** A token where it fired, with those around it: `tokens[at]` is the one. */
export const firing = z.object({
  run: z.string(),
  variant: z.string(),
  position: z.int(),
  activation: z.number(),
  tokens: z.array(token),
  at: z.int()
})
export type Firing = z.infer<typeof firing>

/** The strongest first; `runs` were looked at, the newest of those that have the SAE, and each lists the strongest features of a token alone. */
export const firings = z.object({ firings: z.array(firing), runs: z.int() })
export type Firings = z.infer<typeof firings>
