/** What the engine and the inference process say to each other. Both ends parse what arrives. */
import { z } from 'zod'
import { answersRequest, answersResult } from '../../contract/answers.ts'
import { attributionRequest, attributionResult, featureEffect } from '../../contract/attribution.ts'
import { errorData } from '../../contract/errors.ts'
import { featureWeights } from '../../contract/feature-weights.ts'
import { continuation, continuationKey, generationEvent, generationRequest, generationResult, seed } from '../../contract/generation.ts'
import { activation, activationValues, activationWindow, hookTable } from '../../contract/hooks.ts'
import { featureEffects } from '../../contract/logit-effects.ts'
import { lensRequest, lensResult } from '../../contract/logit-lens.ts'
import { maybeNumber } from '../../contract/numbers.ts'
import { patchedLayer, patchingRequest, patchingResult, patchingStart, patchRequest, patchResult } from '../../contract/patching.ts'
import {
  precision,
  processingFlag,
  prompt,
  promptTokens,
  provider,
  runRequest,
  runResult,
  saeReading,
  saeResult,
  token
} from '../../contract/run.ts'
import { evaluatedPass, evaluationJob } from './evaluation-messages.ts'
import { harvestedPass, harvestJob } from './harvest-messages.ts'
import { jobSae } from './job-sae.ts'

/** A run with everything decided: explicit processing flags, and of each SAE what the person says and what its release says. */
export const inferenceJob = runRequest.omit({ processing: true, saes: true, keep: true }).extend({
  processing: z.array(processingFlag),
  saes: z.array(jobSae),
  /** Where unpacked weights may be kept. */
  cacheFolder: z.string()
})
export type InferenceJob = z.infer<typeof inferenceJob>

const inferredFeature = z.object({ index: z.int(), activation: maybeNumber })
const inferredReading = saeReading.extend({ features: z.array(z.array(inferredFeature)) })

/** A run's result before explanations are put to its features. */
export const inferenceResult = runResult.omit({ saes: true, processing: true, processingFrom: true, processingReason: true }).extend({
  saes: z.array(
    saeResult
      .omit({
        format: true,
        dIn: true,
        dSae: true,
        release: true,
        published: true,
        alarm: true,
        source: true,
        sourceChosenByHand: true
      })
      .extend({ byVariant: z.record(z.string(), inferredReading) })
  ),
  /** Bytes of weights that open sessions map. */
  mappedBytes: z.number()
})
export type InferenceResult = z.infer<typeof inferenceResult>

/** What the SAEs of a job measure on the model as it is: nothing is spliced, and nothing predicted. */
export const measureResult = z.object({
  tokens: z.array(token),
  saes: z.array(
    z.object({
      name: z.string(),
      reading: inferredReading,
      /** Mean norm of what it reconstructs, over the measured positions. */
      meanNorm: z.number().nullable()
    })
  )
})
export type MeasureResult = z.infer<typeof measureResult>

/** A continuation with everything decided. */
export const generationJob = generationRequest.omit({ processing: true, saes: true, seed: true }).extend({
  ...inferenceJob.pick({ processing: true, saes: true, cacheFolder: true }).shape,
  seed
})
export type GenerationJob = z.infer<typeof generationJob>

/** Answers to score, with everything decided. */
export const answersJob = answersRequest
  .omit({ processing: true, saes: true })
  .extend(inferenceJob.pick({ processing: true, saes: true, cacheFolder: true }).shape)
export type AnswersJob = z.infer<typeof answersJob>

export const inferredAnswers = answersResult.omit({ processing: true, processingReason: true }).extend({ mappedBytes: z.number() })
export type InferredAnswers = z.infer<typeof inferredAnswers>

/** An attribution with everything decided. */
export const attributionJob = attributionRequest
  .omit({ processing: true, sae: true, keepWith: true })
  .extend({ ...inferenceJob.pick({ processing: true, cacheFolder: true }).shape, sae: jobSae })
export type AttributionJob = z.infer<typeof attributionJob>

/** An attribution's result before explanations are put to its features. */
export const inferredAttribution = attributionResult.omit({ processing: true, processingReason: true }).extend({
  sae: attributionResult.shape.sae.omit({ source: true }),
  effects: z.array(featureEffect.omit({ maxActivation: true, explanations: true })),
  mappedBytes: z.number()
})
export type InferredAttribution = z.infer<typeof inferredAttribution>

/** Patches with everything decided: grids of them, or one. */
export const patchingJob = patchingRequest
  .omit({ processing: true, keepWith: true })
  .extend(inferenceJob.pick({ processing: true, cacheFolder: true }).shape)
export type PatchingJob = z.infer<typeof patchingJob>

export const patchJob = patchRequest.omit({ processing: true }).extend(inferenceJob.pick({ processing: true, cacheFolder: true }).shape)
export type PatchJob = z.infer<typeof patchJob>

export const inferredPatching = patchingResult.omit({ processing: true, processingReason: true }).extend({ mappedBytes: z.number() })
export type InferredPatching = z.infer<typeof inferredPatching>

export const inferredPatch = patchResult.omit({ processing: true, processingReason: true }).extend({ mappedBytes: z.number() })
export type InferredPatch = z.infer<typeof inferredPatch>

/** What running patches give before all are done. */
export const patchingStep = z.discriminatedUnion('type', [z.object({ type: z.literal('start'), start: patchingStart }), patchedLayer])
export type PatchingStep = z.infer<typeof patchingStep>

/** Features at a token by SAE, before explanations are put to them. */
const inferredFeatures = z.record(z.string(), z.array(inferredFeature))
export type InferredFeatures = z.infer<typeof inferredFeatures>

const inferredContinuation = continuation.extend({ features: z.array(inferredFeatures.nullable()) })
export type InferredContinuation = z.infer<typeof inferredContinuation>

/** What one step gives: the tokens, or the features that fired at them. */
export const generationStep = z.discriminatedUnion('type', [
  generationEvent.options[1],
  z.object({ type: z.literal('features'), step: z.int(), features: z.array(continuationKey.extend({ features: inferredFeatures })) })
])
export type GenerationStep = z.infer<typeof generationStep>

/** A generation's result before explanations are put to its features. */
export const inferredGeneration = generationResult
  .omit({ saes: true, continuations: true, processing: true, processingReason: true })
  .extend({
    saes: z.array(saeResult.pick({ name: true, hook: true, hookOut: true, path: true })),
    continuations: z.array(inferredContinuation),
    mappedBytes: z.number()
  })
export type InferredGeneration = z.infer<typeof inferredGeneration>

/** A run of which one variant is looked at, and the one it is compared with. */
export const hookJob = z.object({ job: inferenceJob, variant: z.string(), against: z.string().nullable() })
export type HookJob = z.infer<typeof hookJob>

/** A run to read through the logit lens; its `save` takes whole logits. */
export const lensJob = lensRequest.omit({ run: true }).extend({ job: inferenceJob })
export type LensJob = z.infer<typeof lensJob>

export const inferredLens = lensResult
  .omit({ processing: true, processingFrom: true, processingReason: true })
  .extend({ mappedBytes: z.number() })
export type InferredLens = z.infer<typeof inferredLens>

/** Features of an SAE whose effects on the logits are asked for: the `count` highest and lowest of each. */
export const effectsJob = z.object({
  model: z.string(),
  sae: inferenceJob.shape.saes.element.omit({ name: true }),
  features: z.array(z.int().nonnegative()).min(1),
  count: z.int().min(1),
  cacheFolder: z.string()
})
export type EffectsJob = z.infer<typeof effectsJob>

/** A feature whose weights are read, and the SAEs whose directions it is held to. */
export const weightsJob = z.object({
  model: z.string(),
  sae: jobSae,
  feature: z.int().nonnegative(),
  others: z.array(jobSae),
  count: z.int().min(1),
  cacheFolder: z.string()
})
export type WeightsJob = z.infer<typeof weightsJob>

/** What of a job says how much memory it needs. */
export const estimatedJob = inferenceJob
  .pick({
    ...{ model: true, saes: true, prompt: true, variants: true, processing: true, layerOrder: true },
    ...{ cacheFolder: true, provider: true, precision: true }
  })
  .extend({
    /** Whether a prompt goes through in pieces, as where it is continued. */
    inPieces: z.boolean().default(false)
  })
export type EstimatedJob = z.infer<typeof estimatedJob>

const float32 = z.instanceof(Float32Array)

/** What a window shows, its numbers as they are. */
export const windowAnswer = activationValues.extend({ values: float32, norms: float32.nullable() })
export type WindowAnswer = z.infer<typeof windowAnswer>

const int32 = z.instanceof(Int32Array<ArrayBuffer>)

/** An SAE's active features in every variant, sparse; `active` counts them at each position, also those beyond `perPosition`. */
export const readFeatures = z.object({
  dSae: z.int(),
  perPosition: z.int(),
  variants: z.array(
    z.object({ variant: z.string(), active: int32, starts: int32, features: int32, activations: z.instanceof(Float32Array<ArrayBuffer>) })
  )
})
export type ReadFeatures = z.infer<typeof readFeatures>

export const toInference = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('run'), id: z.int(), job: inferenceJob }),
  z.object({ kind: z.literal('tokenize'), id: z.int(), model: z.string(), prompt }),
  z.object({ kind: z.literal('hooks'), id: z.int(), hookJob }),
  z.object({ kind: z.literal('measure'), id: z.int(), job: inferenceJob }),
  /** Without a window the activation is computed and kept. */
  z.object({ kind: z.literal('activation'), id: z.int(), hookJob, hook: z.string(), window: activationWindow.nullable() }),
  z.object({ kind: z.literal('features'), id: z.int(), job: inferenceJob, sae: z.string() }),
  z.object({ kind: z.literal('effects'), id: z.int(), effectsJob }),
  z.object({ kind: z.literal('weights'), id: z.int(), weightsJob }),
  z.object({ kind: z.literal('lens'), id: z.int(), lensJob }),
  z.object({ kind: z.literal('generate'), id: z.int(), generationJob }),
  z.object({ kind: z.literal('answers'), id: z.int(), answersJob }),
  z.object({ kind: z.literal('attribute'), id: z.int(), attributionJob }),
  z.object({ kind: z.literal('patch-grids'), id: z.int(), patchingJob }),
  z.object({ kind: z.literal('patch-one'), id: z.int(), patchJob }),
  z.object({ kind: z.literal('evaluate'), id: z.int(), job: evaluationJob }),
  z.object({ kind: z.literal('harvest'), id: z.int(), job: harvestJob }),
  /** What a job would need that ended the process before this one. */
  z.object({ kind: z.literal('estimate'), id: z.int(), job: estimatedJob }),
  z.object({ kind: z.literal('cancel'), id: z.int() })
])
export type ToInference = z.infer<typeof toInference>

export const fromInference = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('ready'),
    /** What `auto` is in this process, why, and whether the CPU stands in for what was chosen. */
    provider: z.string(),
    precision,
    reason: z.string(),
    fellBack: z.boolean(),
    threads: z.int(),
    providers: z.array(provider)
  }),
  z.object({ kind: z.literal('memory'), residentBytes: z.number() }),
  z.object({ kind: z.literal('progress'), id: z.int(), stage: z.string(), fraction: z.number() }),
  z.object({ kind: z.literal('run'), id: z.int(), result: inferenceResult }),
  z.object({ kind: z.literal('tokenize'), id: z.int(), result: promptTokens }),
  z.object({ kind: z.literal('hooks'), id: z.int(), table: hookTable }),
  z.object({ kind: z.literal('measure'), id: z.int(), result: measureResult }),
  z.object({ kind: z.literal('activation'), id: z.int(), activation, window: windowAnswer.nullable() }),
  z.object({ kind: z.literal('features'), id: z.int(), features: readFeatures }),
  z.object({ kind: z.literal('effects'), id: z.int(), effects: z.array(featureEffects) }),
  z.object({ kind: z.literal('weights'), id: z.int(), weights: featureWeights }),
  z.object({ kind: z.literal('lens'), id: z.int(), lens: inferredLens }),
  z.object({ kind: z.literal('step'), id: z.int(), step: generationStep }),
  z.object({ kind: z.literal('generate'), id: z.int(), result: inferredGeneration }),
  z.object({ kind: z.literal('answers'), id: z.int(), result: inferredAnswers }),
  z.object({ kind: z.literal('attribute'), id: z.int(), result: inferredAttribution }),
  z.object({ kind: z.literal('patching'), id: z.int(), step: patchingStep }),
  z.object({ kind: z.literal('patch-grids'), id: z.int(), result: inferredPatching }),
  z.object({ kind: z.literal('patch-one'), id: z.int(), result: inferredPatch }),
  z.object({ kind: z.literal('evaluate'), id: z.int(), pass: evaluatedPass }),
  z.object({ kind: z.literal('harvest'), id: z.int(), pass: harvestedPass }),
  /** In words; null where nothing can be said. */
  z.object({ kind: z.literal('estimate'), id: z.int(), need: z.string().nullable() }),
  z.object({ kind: z.literal('error'), id: z.int(), error: errorData })
])
export type FromInference = z.infer<typeof fromInference>

/** What a message that runs a model asks of providers, and the job to estimate where it is of the usual kind; null for the others. */
export function jobIn(
  message: ToInference
): { asked: Pick<InferenceJob, 'provider' | 'precision'>; estimated: EstimatedJob | null } | null {
  switch (message.kind) {
    case 'run':
    case 'measure':
    case 'features':
      return { asked: message.job, estimated: { ...message.job, inPieces: false } }
    case 'hooks':
    case 'activation':
      return { asked: message.hookJob.job, estimated: { ...message.hookJob.job, inPieces: false } }
    case 'lens':
      return { asked: message.lensJob.job, estimated: { ...message.lensJob.job, inPieces: false } }
    case 'generate':
      return { asked: message.generationJob, estimated: { ...message.generationJob, inPieces: true } }
    case 'answers':
      return { asked: message.answersJob, estimated: { ...message.answersJob, inPieces: true } }
    case 'attribute':
      return { asked: message.attributionJob, estimated: null }
    case 'patch-grids':
      return { asked: message.patchingJob, estimated: null }
    case 'patch-one':
      return { asked: message.patchJob, estimated: null }
    case 'evaluate':
    case 'harvest':
      return { asked: message.job, estimated: null }
    default:
      return null
  }
}
