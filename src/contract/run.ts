import { z } from 'zod'
import { maybeNumber } from './numbers.ts'

/** TransformerLens's weight processing flags, by their names in `HookedTransformer.from_pretrained`. */
export const processingFlag = z.enum(['fold_ln', 'center_writing_weights', 'center_unembed', 'fold_value_biases'])
export type ProcessingFlag = z.infer<typeof processingFlag>

/** `none` is from_pretrained_no_processing, `all` from_pretrained, `auto` what the SAE's release asks for. */
export const processing = z.union([z.enum(['auto', 'none', 'all']), z.array(processingFlag)])
export type Processing = z.infer<typeof processing>

/** Why a processing is in force: the person chose it, the SAE's release or its own config asks for it, nothing is known of the SAE, or there is none. */
export const processingOrigin = z.enum(['chosen', 'release', 'config', 'unknown', 'no-sae'])
export type ProcessingOrigin = z.infer<typeof processingOrigin>

/** Which layers attend locally, where a family alternates: the checkpoint's order, or TransformerLens's (Gemma-2 only). */
export const layerOrder = z.enum(['checkpoint', 'transformer-lens'])
export type LayerOrder = z.infer<typeof layerOrder>

/** Positions a splice covers: all, all but special tokens, or half-open ranges from zero. */
export const splicePositions = z.union([z.enum(['all', 'no-special']), z.array(z.tuple([z.int().nonnegative(), z.int().nonnegative()]))])
export type SplicePositions = z.infer<typeof splicePositions>

/** An SAE's name inside a run. */
export const saeName = z.string().regex(/^[A-Za-z0-9_-]+$/)

/** One splice: the SAE's output stands in for the activation at its hook point. */
export const splice = z.object({
  sae: saeName,
  errorTerm: z.boolean().default(false),
  positions: splicePositions.default('all')
})
export type Splice = z.infer<typeof splice>

/** Positions that an edit covers, as a splice's; a range without an end (null) goes on over all tokens to come. */
export const editPositions = z.union([
  z.enum(['all', 'no-special']),
  z.array(z.tuple([z.int().nonnegative(), z.int().nonnegative().nullable()]))
])
export type EditPositions = z.infer<typeof editPositions>

/**
 * A change of one feature. `scale` multiplies its activation by `value`, `set` puts `value` in its place (0 ablates it): both in a
 * variant that splices the SAE, where the splice covers. `steer` adds `value` times the feature's row of W_dec, as it is stored, to the
 * activation that the SAE's output stands in for: to the output where the variant splices the SAE, to the activation itself where not.
 * Edits of the same feature act one after the other.
 */
export const featureEdit = z.object({
  sae: saeName,
  feature: z.int().nonnegative(),
  kind: z.enum(['scale', 'set', 'steer']),
  value: z.number(),
  positions: editPositions.default('all')
})
export type FeatureEdit = z.infer<typeof featureEdit>

/** One way to run the prompt. `clean` has neither splices nor edits. */
export const variant = z.object({
  name: z.string().min(1).max(80),
  splices: z.array(splice),
  edits: z.array(featureEdit).optional()
})
export type Variant = z.infer<typeof variant>

/**
 * An SAE of a run: `path` is a folder or weights file. `hook` and, for transcoders, `hookOut` go before the hook points that its
 * config or path says; `normFactor` before the factor of `expected_average_only_in` that its files or its release say.
 */
export const runSae = z.object({
  name: saeName,
  path: z.string(),
  hook: z.string().optional(),
  hookOut: z.string().optional(),
  normFactor: z.number().positive().optional(),
  source: z.string().nullable().optional()
})
export type RunSae = z.infer<typeof runSae>

export const chatMessage = z.object({ role: z.string().min(1), content: z.string() })
export type ChatMessage = z.infer<typeof chatMessage>

/**
 * Text is tokenized as TransformerLens would; ids are used as they are; a chat is written by the model's own template, or by
 * `template` (Jinja), which puts BOS where it wants it. `addGenerationPrompt` opens the model's turn at the end.
 */
export const prompt = z.union([
  z.object({ text: z.string(), prependBos: z.boolean().default(true) }),
  z.object({ ids: z.array(z.int()) }),
  z.object({ chat: z.array(chatMessage).min(1), addGenerationPrompt: z.boolean().default(true), template: z.string().optional() })
])
export type Prompt = z.infer<typeof prompt>

/** Execution providers of ONNX Runtime, by our names. */
export const provider = z.enum(['auto', 'cpu', 'webgpu', 'cuda', 'directml', 'coreml'])
export type Provider = z.infer<typeof provider>

/**
 * In what type models' matrices are held and multiplied: `fp16` is for GPUs, halves their memory and is less exact. Norms, softmax, the
 * residual stream, SAEs and what is made of the logits are in float32 either way.
 */
export const precision = z.enum(['fp32', 'fp16'])
export type Precision = z.infer<typeof precision>

/** A safetensors file to write, with `<variant>/<hook name>` and, unless `logits` is false, `<variant>/logits` as tensor names. */
export const saveRequest = z.object({ file: z.string(), logits: z.boolean().optional() })

/** One prompt under several variants, computed as rows of one pass. */
export const runRequest = z.object({
  model: z.string(),
  saes: z.array(runSae).default([]),
  prompt,
  variants: z.array(variant).min(1),
  processing: processing.default('auto'),
  layerOrder: layerOrder.default('checkpoint'),
  topK: z.int().min(1).max(1000).default(10),
  topFeatures: z.int().min(0).max(1000).default(5),
  /** Which positions the metrics and the mean KL run over. */
  metricPositions: z.enum(['no-special', 'all']).default('no-special'),
  provider: provider.default('auto'),
  /** Where it is left out, what the settings say. */
  precision: precision.optional(),
  /** Which activations `save` writes; a name that no variant has is an error, with `save` or without. */
  hooks: z.union([z.enum(['all', 'none']), z.array(z.string())]).default('all'),
  save: saveRequest.optional(),
  /** Whether the run goes into the history. */
  keep: z.boolean().default(true)
})
export type RunRequest = z.infer<typeof runRequest>

/** A token: its id and text always travel together. */
export const token = z.object({ id: z.int(), text: z.string(), special: z.boolean() })
export type Token = z.infer<typeof token>

/** Tokens `[start, end)` of a chat that a message has, with what the template writes around it; `prompt` is the model's opened turn. */
export const roleSpan = z.object({ role: z.string(), start: z.int(), end: z.int() })
export type RoleSpan = z.infer<typeof roleSpan>

/** A prompt in tokens. `bosAdded`: a BOS token was put before the text. `spans`: of a chat, which tokens belong to whom. */
export const promptTokens = z.object({
  tokens: z.array(token),
  bosAdded: z.boolean(),
  spans: z.array(roleSpan).optional(),
  warnings: z.array(z.string())
})
export type PromptTokens = z.infer<typeof promptTokens>

export const predictedToken = z.object({ id: z.int(), text: z.string(), logit: maybeNumber, logProb: maybeNumber })
export type PredictedToken = z.infer<typeof predictedToken>

/**
 * A variant's numbers. `logProbs[i]` (nats) and `ranks[i]` (0 is best) are token i's given those before it (null for i = 0);
 * `topK[i]` predicts what follows token i. `loss` is the mean of -logProbs over the n-1 tokens that have one.
 */
export const variantResult = z.object({
  name: z.string(),
  loss: maybeNumber,
  logProbs: z.array(maybeNumber),
  ranks: z.array(z.int().nullable()),
  topK: z.array(z.array(predictedToken))
})
export type VariantResult = z.infer<typeof variantResult>

/** KL(clean || variant) in nats at every position (of the prediction made there), its mean over the metric positions, and loss - clean loss. */
export const variantComparison = z.object({
  variant: z.string(),
  klDivergence: z.array(maybeNumber),
  meanKl: maybeNumber,
  /** How many positions `meanKl` runs over. */
  positions: z.int(),
  lossIncrease: maybeNumber
})
export type VariantComparison = z.infer<typeof variantComparison>

export const featureExplanation = z.object({ description: z.string(), explainer: z.string().nullable() })
export type FeatureExplanation = z.infer<typeof featureExplanation>

/** A feature that fired at a position; `maxActivation` is its known maximum from the mirror's statistics. */
export const activeFeature = z.object({
  index: z.int(),
  activation: maybeNumber,
  maxActivation: z.number().nullable(),
  explanations: z.array(featureExplanation)
})
export type ActiveFeature = z.infer<typeof activeFeature>

/** What the mirror knows of a feature wherever it fired; `density` is the share of tokens on which it is active. */
export const explainedFeature = activeFeature.omit({ activation: true }).extend({ density: z.number().nullable() })
export type ExplainedFeature = z.infer<typeof explainedFeature>

/** An SAE's reading of one variant; metrics run over `positions` positions, by default all but special tokens. `features[i]` fired at token i, strongest first. */
export const saeReading = z.object({
  /** Mean number of active features. */
  l0: maybeNumber,
  /** Mean squared error per element. */
  mse: maybeNumber,
  /** 1 - sum |x - recons|^2 / sum |x - mean(x)|^2. */
  explainedVariance: maybeNumber,
  /** Mean cosine similarity of x and its reconstruction. */
  cosineSimilarity: maybeNumber,
  positions: z.int(),
  /** The same over all positions, special tokens too. */
  withSpecial: z.object({ l0: maybeNumber, explainedVariance: maybeNumber, positions: z.int() }),
  /** How many features are active at each position. */
  active: z.array(z.int()),
  features: z.array(z.array(activeFeature))
})
export type SaeReading = z.infer<typeof saeReading>

/** The factor by which an SAE's input is scaled, and where it is from: its own files, its release, or the person. */
export const normFactor = z.object({ value: z.number(), from: z.enum(['file', 'release', 'chosen']) })
export type NormFactor = z.infer<typeof normFactor>

/** A published figure, and what states it: the table of releases, the SAE's own files, or its path. */
export const publishedFigure = z.object({ value: z.number(), from: z.enum(['release', 'file', 'path']) })
export type PublishedFigure = z.infer<typeof publishedFigure>

export const publishedMetrics = z.object({ l0: publishedFigure.nullable(), explainedVariance: publishedFigure.nullable() })
export type PublishedMetrics = z.infer<typeof publishedMetrics>

/**
 * A figure that is off the published one by more than a factor of two, whether special tokens count or not. Without a published
 * explained variance, one below zero is off, and `published` and `factor` are null.
 */
export const offMetric = z.object({
  metric: z.enum(['l0', 'explained-variance']),
  measured: maybeNumber,
  published: z.number().nullable(),
  /** How many times: of L0s as they are, of explained variances by what they leave unexplained. */
  factor: maybeNumber
})
export type OffMetric = z.infer<typeof offMetric>

/** Why an SAE may sit on another tensor than the one that it was made for. */
export const alarm = z.object({
  off: z.array(offMetric).min(1),
  positions: z.int(),
  /** In one sentence, with the numbers. */
  text: z.string()
})
export type Alarm = z.infer<typeof alarm>

/** An SAE of a run: `hookOut` is where a transcoder's output stands in, null for SAEs; `notes` say how it is read. */
export const saeResult = z.object({
  name: z.string(),
  hook: z.string(),
  hookOut: z.string().nullable(),
  path: z.string(),
  format: z.string(),
  dIn: z.int(),
  dSae: z.int(),
  /** Its names in SAELens, where a published release has it. */
  release: z.object({ name: z.string(), saeId: z.string() }).nullable(),
  normFactor: normFactor.nullable(),
  notes: z.array(z.string()),
  published: publishedMetrics,
  /** Set where its metrics in the variant without splices are far from the published ones, over enough tokens. */
  alarm: alarm.nullable(),
  /** Neuronpedia source `modelId/layer`, or null when none is known. */
  source: z.string().nullable(),
  /** Whether the person chose the source by hand. */
  sourceChosenByHand: z.boolean(),
  byVariant: z.record(z.string(), saeReading)
})
export type SaeResult = z.infer<typeof saeResult>

export const runResult = z.object({
  model: z.object({ path: z.string(), name: z.string() }),
  ...promptTokens.shape,
  processing: z.array(processingFlag),
  processingFrom: processingOrigin,
  /** Why this processing is in force, in a few words. */
  processingReason: z.string(),
  layerOrder,
  variants: z.array(variantResult),
  comparison: z.array(variantComparison),
  saes: z.array(saeResult),
  provider: z.string(),
  /** In what it multiplied; float32 where it is left out. */
  precision: precision.optional(),
  /** What the choice of provider rests on, or why another one fell back. */
  providerReason: z.string(),
  milliseconds: z.object({ load: z.number(), compile: z.number(), run: z.number() })
})
export type RunResult = z.infer<typeof runResult>

/** What a running run says: how far it is (`fraction` of 1), then its result, which is the last event; `keptAs` is its id in the history. */
export const runEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), stage: z.string(), fraction: z.number().min(0).max(1) }),
  z.object({ type: z.literal('result'), result: runResult, keptAs: z.string().nullable() })
])
export type RunEvent = z.infer<typeof runEvent>
