import { z } from 'zod'
import { normFactor } from './run.ts'

/** A model folder, read from its headers alone. */
export const modelSummary = z.object({
  path: z.string(),
  name: z.string(),
  family: z.string(),
  layers: z.int(),
  dModel: z.int(),
  heads: z.int(),
  vocabulary: z.int(),
  /** Longest prompt in tokens. */
  context: z.int(),
  parameters: z.number(),
  /** Stored dtypes, e.g. `BF16`, `F32`. */
  dtype: z.string(),
  sizeBytes: z.number(),
  /** Anonymous memory that a run of 50 tokens is expected to need; mapped weights are not counted. */
  memoryEstimateBytes: z.number(),
  hookPoints: z.array(z.string()),
  hasTokenizer: z.boolean()
})
export type ModelSummary = z.infer<typeof modelSummary>

/** An SAE on disk, read from its headers alone. */
export const saeSummary = z.object({
  path: z.string(),
  /** Short name for pickers, e.g. `layer_20/width_16k/average_l0_71`. */
  name: z.string(),
  format: z.string(),
  architecture: z.string(),
  /** Hook point that its path or config says, or that the person named; null when nothing says it. */
  hook: z.string().nullable(),
  /** Hook point that a transcoder's output stands in for; null for SAEs. */
  hookOut: z.string().nullable(),
  /** The one attention head that it belongs to; null for whole activations. */
  headIndex: z.int().nullable(),
  dIn: z.int(),
  dSae: z.int(),
  dOut: z.int(),
  /** What turns pre-activations into activations. */
  activation: z.enum(['relu', 'tanh-relu', 'jumprelu', 'topk', 'gated']),
  /** What is done to its input first, by SAELens's names. */
  normalisation: z.enum(['none', 'expected_average_only_in', 'constant_norm_rescale', 'layer_norm']),
  normFactor: normFactor.nullable(),
  /** Whether b_dec is subtracted from its input. */
  appliesDecoderBiasToInput: z.boolean(),
  hasSkip: z.boolean(),
  /** The model that it was trained on, as its config or release calls it. */
  model: z.string().nullable(),
  /** What to know about how it is read. */
  notes: z.array(z.string()),
  /** Mean L0 that its release states. */
  averageL0: z.number().nullable(),
  /** Neuronpedia source `modelId/layer`, found by repo and path; null when none is known. */
  source: z.string().nullable(),
  release: z.string().nullable(),
  sizeBytes: z.number()
})
export type SaeSummary = z.infer<typeof saeSummary>

/** What a path holds, judged by content: the first thing to ask of whatever a person drops or opens. */
export const pathKind = z.enum(['model', 'sae', 'explanations', 'folder', 'unknown'])
export type PathKind = z.infer<typeof pathKind>

export const folderEntry = z.object({
  name: z.string(),
  path: z.string(),
  isFolder: z.boolean(),
  kind: pathKind,
  sizeBytes: z.number().nullable()
})
export type FolderEntry = z.infer<typeof folderEntry>

/** A folder's entries, for hosts without a native dialog. `places` are starting points: home, the Hugging Face cache, the demo. */
export const folderListing = z.object({
  path: z.string(),
  parent: z.string().nullable(),
  entries: z.array(folderEntry),
  places: z.array(z.object({ label: z.string(), path: z.string() }))
})
export type FolderListing = z.infer<typeof folderListing>

/** An item that was opened before, newest first. `missing` when its path is gone. */
export const recentItem = z.object({
  kind: z.enum(['model', 'sae']),
  path: z.string(),
  name: z.string(),
  openedAt: z.number(),
  missing: z.boolean()
})
export type RecentItem = z.infer<typeof recentItem>

/** The workspace a fresh window opens with: the demo at first, later what was open last. */
export const workspace = z.object({
  model: z.string(),
  saes: z.array(z.object({ path: z.string(), hook: z.string().optional(), source: z.string().nullable().optional() })),
  promptText: z.string(),
  isDemo: z.boolean()
})
export type Workspace = z.infer<typeof workspace>
