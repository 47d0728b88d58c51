/** How good an SAE is on a text: what is asked, and what comes of it. */
import { z } from 'zod'
import { maybeNumber } from './numbers.ts'
import { layerOrder, normFactor, precision, processing, processingFlag, provider, runSae, splicePositions } from './run.ts'

/**
 * What to evaluate on. `text`: a UTF-8 file, a document per line, or a JSON object with a `text` per line where its name ends in
 * .jsonl or .ndjson. `joined` lays documents one behind the other with BOS between and cuts them to the context, as SAELens's
 * ActivationsStore does; `apart` starts a sequence with each. `ids`: a JSON array of arrays of token ids, used as they are.
 */
export const corpus = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('text'),
    file: z.string(),
    documents: z.enum(['joined', 'apart']).default('joined'),
    prependBos: z.boolean().default(true)
  }),
  z.object({ kind: z.literal('ids'), file: z.string() })
])
export type Corpus = z.infer<typeof corpus>

export const evaluationRequest = z.object({
  model: z.string(),
  sae: runSae.omit({ source: true }),
  corpus,
  /**
   * The longest sequence, in tokens. Without it, the model's context for ids, and for text what the SAE's config says that it was
   * trained with, else 1024.
   */
  context: z.int().min(2).optional(),
  /** Tokens of one pass; a longer sequence is a pass of its own. Changes no number beyond rounding. Without it 512, fewer for wide SAEs. */
  batchTokens: z.int().min(1).optional(),
  /** Sequences of a batch in SAELens's sense (`batch_size_prompts`); its mse, legacy explained variance and bias depend on it. */
  saelensBatch: z.int().min(1).default(16),
  /** Whether special tokens count in the textbook numbers. */
  countSpecial: z.boolean().default(false),
  /** The ids that count as special, instead of the model's own. */
  specialIds: z.array(z.int().nonnegative()).optional(),
  /** Where the textbook numbers' splice and zero ablation stand in, in each sequence. */
  positions: splicePositions.default('all'),
  processing: processing.default('auto'),
  layerOrder: layerOrder.default('checkpoint'),
  provider: provider.default('auto'),
  precision: precision.optional(),
  /** Whether the result lists how often each feature fires. */
  featureDensity: z.boolean().default(false),
  /** A file that keeps what is done after every pass; with one that is there, the evaluation goes on where that ends. */
  resume: z.object({ file: z.string() }).optional()
})
export type EvaluationRequest = z.infer<typeof evaluationRequest>

/** The scalar metrics of SAELens's `run_evals`, by its names and definitions (sae_lens 6.18, `evals.py`); losses and KL in nats. */
export const saelensMetrics = z.object({
  kl_div_score: maybeNumber,
  kl_div_with_ablation: maybeNumber,
  kl_div_with_sae: maybeNumber,
  ce_loss_score: maybeNumber,
  ce_loss_with_ablation: maybeNumber,
  ce_loss_with_sae: maybeNumber,
  ce_loss_without_sae: maybeNumber,
  explained_variance: maybeNumber,
  explained_variance_legacy: maybeNumber,
  /** Squared error of a token divided by the number of tokens of its batch: divided by it twice in all. */
  mse: maybeNumber,
  cossim: maybeNumber,
  l2_norm_in: maybeNumber,
  l2_norm_out: maybeNumber,
  l2_ratio: maybeNumber,
  relative_reconstruction_bias: maybeNumber,
  l0: maybeNumber,
  l1: maybeNumber
})
export type SaelensMetrics = z.infer<typeof saelensMetrics>

/**
 * The textbook numbers over `positions` positions, those of special tokens left out unless they were asked for. Losses (nats) are
 * means over the `predictions` that one such position makes of another; a score is null where its divisor is zero.
 */
export const textbookMetrics = z.object({
  /** Tokens that went through the model, special ones included. */
  tokens: z.int(),
  positions: z.int(),
  predictions: z.int(),
  /** Mean number of active features, and mean sum of their activations. */
  l0: maybeNumber,
  l1: maybeNumber,
  /** Mean of |x - recons|^2, and the same per element. */
  squaredError: maybeNumber,
  mse: maybeNumber,
  /** 1 - sum |x - recons|^2 / sum |x - mean(x)|^2, with one mean over the whole text. */
  explainedVariance: maybeNumber,
  /** Mean cosine of x and its reconstruction; 0 where one of them is zero. */
  cosineSimilarity: maybeNumber,
  ceClean: maybeNumber,
  ceSpliced: maybeNumber,
  ceZeroAblated: maybeNumber,
  /** (ceZeroAblated - ceSpliced) / (ceZeroAblated - ceClean): 1 is as good as clean, 0 no better than zeros. */
  ceScore: maybeNumber,
  /** KL(clean || spliced) and KL(clean || zero ablated), nats. */
  klDivergence: maybeNumber,
  klZeroAblated: maybeNumber
})
export type TextbookMetrics = z.infer<typeof textbookMetrics>

export const evaluationResult = textbookMetrics.extend({
  sequences: z.int(),
  /** How many of the SAE's features fired at some counted position. */
  features: z.object({ total: z.int(), fired: z.int() }),
  /** By SAELens's definitions: over all tokens, and as its `exclude_special_tokens` has it. */
  saelens: z.object({ all_tokens: saelensMetrics, exclude_special_tokens: saelensMetrics, batch_size_prompts: z.int() }),
  /** SAELens's `feature_density` of every feature, over the same tokens. */
  featureDensity: z.object({ all_tokens: z.array(z.number()), exclude_special_tokens: z.array(z.number()) }).nullable(),
  model: z.object({ path: z.string(), name: z.string() }),
  sae: z.object({
    name: z.string(),
    path: z.string(),
    hook: z.string(),
    hookOut: z.string().nullable(),
    normFactor: normFactor.nullable(),
    notes: z.array(z.string())
  }),
  corpus,
  /** Where the textbook numbers' splice and zero ablation stood in. */
  splicePositions,
  /** The longest sequence that was allowed, and how many ids of longer ones were left out. */
  context: z.int(),
  idsLeftOut: z.int(),
  specialIds: z.array(z.int()),
  processing: z.array(processingFlag),
  processingReason: z.string(),
  layerOrder,
  provider: z.string(),
  providerReason: z.string(),
  warnings: z.array(z.string()),
  /** Time that was spent on it, over all its beginnings. */
  seconds: z.number()
})
export type EvaluationResult = z.infer<typeof evaluationResult>

/** How far an evaluation is; `totalTokens` is an estimate until the whole file is read, null where nothing is known yet. */
export const evaluationProgress = z.object({
  type: z.literal('progress'),
  stage: z.enum(['opening', 'running']),
  tokens: z.int(),
  totalTokens: z.int().nullable(),
  totalIsExact: z.boolean(),
  tokensPerSecond: z.number().nullable(),
  secondsLeft: z.number().nullable(),
  fraction: z.number().min(0).max(1)
})
export type EvaluationProgress = z.infer<typeof evaluationProgress>

/** `12,345 of about 100,000 tokens, 210 tokens/s, 6:57 left`, as far as it is known. */
export function describeProgress({ tokens, totalTokens, totalIsExact, tokensPerSecond, secondsLeft }: EvaluationProgress): string {
  const count = (value: number) => Math.round(value).toLocaleString('en-US')
  const all = totalTokens === null ? '' : ` of ${totalIsExact ? '' : 'about '}${count(totalTokens)}`
  const speed = tokensPerSecond === null ? '' : `, ${count(tokensPerSecond)} tokens/s`
  return `${count(tokens)}${all} tokens${speed}${secondsLeft === null ? '' : `, ${clock(secondsLeft)} left`}`
}

/** Minutes and seconds, and hours where there are some. */
function clock(seconds: number): string {
  const whole = Math.ceil(seconds)
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (value: number) => String(value).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}

/** What a running evaluation says: how far it is, then its result, which is the last event. */
export const evaluationEvent = z.discriminatedUnion('type', [
  evaluationProgress,
  z.object({ type: z.literal('result'), result: evaluationResult })
])
export type EvaluationEvent = z.infer<typeof evaluationEvent>
