/** What the engine and the inference process say to each other. Both ends parse what arrives. */
import { z } from 'zod'
import { errorData } from '../../contract/errors.ts'
import { activation, activationValues, activationWindow, hookTable } from '../../contract/hooks.ts'
import { featureEffects } from '../../contract/logit-effects.ts'
import { maybeNumber } from '../../contract/numbers.ts'
import { processingFlag, runRequest, runResult, saeReading, saeResult, token } from '../../contract/run.ts'
import { evaluatedPass, evaluationJob } from './evaluation-messages.ts'
import { jobSae } from './job-sae.ts'

/** A run with everything decided: explicit processing flags, and of each SAE what the person says and what its release says. */
export const inferenceJob = runRequest.omit({ processing: true, saes: true }).extend({
  processing: z.array(processingFlag),
  saes: z.array(jobSae),
  /** Where unpacked weights may be kept. */
  cacheFolder: z.string()
})
export type InferenceJob = z.infer<typeof inferenceJob>

const inferredFeature = z.object({ index: z.int(), activation: maybeNumber })
const inferredReading = saeReading.extend({ features: z.array(z.array(inferredFeature)) })

/** A run's result before explanations are put to its features. */
export const inferenceResult = runResult.omit({ saes: true, processing: true, processingReason: true }).extend({
  saes: z.array(saeResult.omit({ source: true, sourceChosenByHand: true }).extend({ byVariant: z.record(z.string(), inferredReading) })),
  /** Bytes of weights that open sessions map. */
  mappedBytes: z.number()
})
export type InferenceResult = z.infer<typeof inferenceResult>

export const tokenizeResult = z.object({ tokens: z.array(token), bosAdded: z.boolean() })

/** A run of which one variant is looked at, and the one it is compared with. */
export const hookJob = z.object({ job: inferenceJob, variant: z.string(), against: z.string().nullable() })
export type HookJob = z.infer<typeof hookJob>

/** Features of an SAE whose effects on the logits are asked for: the `count` highest and lowest of each. */
export const effectsJob = z.object({
  model: z.string(),
  sae: inferenceJob.shape.saes.element.omit({ name: true }),
  features: z.array(z.int().nonnegative()).min(1),
  count: z.int().min(1),
  cacheFolder: z.string()
})
export type EffectsJob = z.infer<typeof effectsJob>

const float32 = z.instanceof(Float32Array)

/** What a window shows, its numbers as they are. */
export const windowAnswer = activationValues.extend({ values: float32, norms: float32.nullable() })
export type WindowAnswer = z.infer<typeof windowAnswer>

export const toInference = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('run'), id: z.int(), job: inferenceJob }),
  z.object({ kind: z.literal('tokenize'), id: z.int(), model: z.string(), text: z.string(), prependBos: z.boolean() }),
  z.object({ kind: z.literal('hooks'), id: z.int(), hookJob }),
  /** Without a window the activation is computed and kept. */
  z.object({ kind: z.literal('activation'), id: z.int(), hookJob, hook: z.string(), window: activationWindow.nullable() }),
  z.object({ kind: z.literal('effects'), id: z.int(), effectsJob }),
  z.object({ kind: z.literal('evaluate'), id: z.int(), job: evaluationJob }),
  z.object({ kind: z.literal('cancel'), id: z.int() })
])
export type ToInference = z.infer<typeof toInference>

export const fromInference = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready'), threads: z.int() }),
  z.object({ kind: z.literal('progress'), id: z.int(), stage: z.string(), fraction: z.number() }),
  z.object({ kind: z.literal('run'), id: z.int(), result: inferenceResult }),
  z.object({ kind: z.literal('tokenize'), id: z.int(), result: tokenizeResult }),
  z.object({ kind: z.literal('hooks'), id: z.int(), table: hookTable }),
  z.object({ kind: z.literal('activation'), id: z.int(), activation, window: windowAnswer.nullable() }),
  z.object({ kind: z.literal('effects'), id: z.int(), effects: z.array(featureEffects) }),
  z.object({ kind: z.literal('evaluate'), id: z.int(), pass: evaluatedPass }),
  z.object({ kind: z.literal('error'), id: z.int(), error: errorData })
])
export type FromInference = z.infer<typeof fromInference>
