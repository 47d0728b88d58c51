/** Exact attribution: what becomes of a quantity when features of an SAE are ablated, one by one, in groups and in pairs. */
import { z } from 'zod'
import { runId } from './history.ts'
import { maybeNumber } from './numbers.ts'
import { quantity, resolvedQuantity } from './quantity.ts'
import {
  activeFeature,
  layerOrder,
  precision,
  processing,
  processingFlag,
  prompt,
  promptTokens,
  provider,
  runSae,
  splicePositions
} from './run.ts'

/** Features that are ablated together. */
export const featureGroup = z.object({
  name: z.string().trim().min(1).max(80),
  features: z.array(z.int().nonnegative()).min(1).max(1000)
})
export type FeatureGroup = z.infer<typeof featureGroup>

export const attributionRequest = z.object({
  model: z.string(),
  sae: runSae,
  prompt,
  quantity,
  /** How many of the most active features are ablated. */
  top: z.int().min(0).max(10_000).default(100),
  /** `all`: a feature at all positions at once; `each`: at one position each time, the most active pairs of both. */
  scope: z.enum(['all', 'each']).default('all'),
  /** These features in place of the most active ones. */
  features: z.array(z.int().nonnegative()).max(10_000).optional(),
  /** Whether activations at special tokens count when the most active features are looked for. */
  countSpecial: z.boolean().default(false),
  /** With the error term the base is the clean run; without it, the spliced one. */
  errorTerm: z.boolean().default(true),
  /** Where the splice, and so each ablation, stands in. */
  positions: splicePositions.default('all'),
  groups: z.array(featureGroup).max(1000).default([]),
  /** Each two of so many of the largest effects are ablated together. */
  pairs: z.int().min(0).max(40).default(0),
  processing: processing.default('auto'),
  layerOrder: layerOrder.default('checkpoint'),
  provider: provider.default('auto'),
  precision: precision.optional(),
  /** Rows of a batch; changes no number beyond rounding. Without it, what is quick and fits into memory. */
  batchRows: z.int().min(1).max(4096).optional(),
  /** The run of the history that the result is kept with. */
  keepWith: runId.optional()
})
export type AttributionRequest = z.infer<typeof attributionRequest>

/**
 * `effect` is the quantity with the feature ablated minus `base`. `position` is where it was ablated, or, where all positions were, where
 * its activation, the largest one counted, stands; null where it is active nowhere.
 */
export const featureEffect = activeFeature.extend({ position: z.int().nullable(), effect: maybeNumber })
export type FeatureEffect = z.infer<typeof featureEffect>

export const groupEffect = featureGroup.extend({ effect: maybeNumber })
export type GroupEffect = z.infer<typeof groupEffect>

const ablated = z.object({ index: z.int(), position: z.int().nullable() })

/** `interaction`: the pair's effect minus the sum of both alone. */
export const pairEffect = z.object({ first: ablated, second: ablated, effect: maybeNumber, interaction: maybeNumber })
export type PairEffect = z.infer<typeof pairEffect>

export const attributionResult = z.object({
  model: z.object({ path: z.string(), name: z.string() }),
  ...promptTokens.shape,
  sae: z.object({
    name: z.string(),
    path: z.string(),
    hook: z.string(),
    hookOut: z.string().nullable(),
    dSae: z.int(),
    source: z.string().nullable()
  }),
  quantity: resolvedQuantity,
  scope: attributionRequest.shape.scope,
  errorTerm: z.boolean(),
  splicePositions,
  countSpecial: z.boolean(),
  /** The quantity with the SAE spliced and nothing ablated; effects are differences from it. */
  base: maybeNumber,
  /** The quantity without a splice; equal to `base`, but for rounding, with the error term. */
  clean: maybeNumber,
  /** How many features (or, with `each`, features at positions) are active where they count. */
  active: z.int(),
  /** Largest effects first, whatever their sign. */
  effects: z.array(featureEffect),
  groups: z.array(groupEffect),
  pairs: z.array(pairEffect),
  processing: z.array(processingFlag),
  processingReason: z.string(),
  layerOrder,
  provider: z.string(),
  providerReason: z.string(),
  /** Rows that were computed behind the splice, in how many batches. */
  rows: z.int(),
  batches: z.int(),
  /** Up to the splice, which is computed once, and behind it. */
  milliseconds: z.object({ open: z.number(), prefix: z.number(), rows: z.number() })
})
export type AttributionResult = z.infer<typeof attributionResult>

/** What a running attribution says: how far it is, then its result; `kept` is its number among those of the run it is kept with. */
export const attributionEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), stage: z.string(), fraction: z.number().min(0).max(1) }),
  z.object({ type: z.literal('result'), result: attributionResult, kept: z.int().nullable() })
])
export type AttributionEvent = z.infer<typeof attributionEvent>

/** An attribution that was kept with a run. */
export const keptAttribution = z.object({
  number: z.int(),
  /** ms since 1970. */
  createdAt: z.number(),
  request: attributionRequest,
  result: attributionResult
})
export type KeptAttribution = z.infer<typeof keptAttribution>
