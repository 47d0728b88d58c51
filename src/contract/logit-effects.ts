/** What an SAE's decoder does to the logits, and whether the mirror says the same. */
import { z } from 'zod'
import { runSae } from './run.ts'

/** A token with what one unit of the feature's activation adds to its logit. */
export const logitEffect = z.object({ id: z.int(), text: z.string(), value: z.number() })

/** A feature's strongest effects, W_dec[feature] through the processed unembedding: `top` from the highest down, `bottom` from the lowest up. */
export const featureEffects = z.object({ feature: z.int(), top: z.array(logitEffect), bottom: z.array(logitEffect) })
export type FeatureEffects = z.infer<typeof featureEffects>

/**
 * Which source is held to which SAE: without `sae` and `model`, those on this disk that are known to belong to the source.
 * `features` are looked at first, then others of the source, evenly spread, up to `sample` in all.
 */
export const effectsCheckRequest = z.object({
  source: z.string(),
  sae: runSae.pick({ path: true, hook: true, hookOut: true, normFactor: true }).optional(),
  model: z.string().optional(),
  features: z.array(z.int().nonnegative()).max(16).default([]),
  sample: z.int().min(1).max(64).default(16)
})
export type EffectsCheckRequest = z.infer<typeof effectsCheckRequest>

/** A feature with both lists; `shared` of the mirror's `of` highest tokens are among the SAE's highest as many. */
export const checkedFeature = featureEffects.extend({ shared: z.int(), of: z.int(), agrees: z.boolean() })
export type CheckedFeature = z.infer<typeof checkedFeature>

/**
 * `agrees` where most of the features do, `disagrees` where fewer than half do, `unsure` between. A feature agrees where at least half of
 * the mirror's highest tokens are among the SAE's own. `none`: there was nothing to compare, for the `reason` given.
 */
export const effectsCheck = z.object({
  source: z.string(),
  verdict: z.enum(['agrees', 'unsure', 'disagrees', 'none']),
  reason: z.string(),
  sae: z.string().nullable(),
  model: z.string().nullable(),
  features: z.array(checkedFeature)
})
export type EffectsCheck = z.infer<typeof effectsCheck>

export const effectsCheckEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), stage: z.string(), fraction: z.number().min(0).max(1) }),
  z.object({ type: z.literal('result'), check: effectsCheck })
])
export type EffectsCheckEvent = z.infer<typeof effectsCheckEvent>
