import { z } from 'zod'
import { errorData } from './errors.ts'
import { trap } from './releases.ts'
import { normFactor, prompt, runSae, variant } from './run.ts'

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
  /** Features per position of each hook point; null where that depends on the prompt. */
  hookWidths: z.array(z.int().nullable()),
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
  /** Its id in that release. */
  saeId: z.string().nullable(),
  /** Stored dtypes, e.g. `F32`. */
  dtype: z.string(),
  sizeBytes: z.number(),
  /** What is known to go wrong with it. */
  traps: z.array(trap)
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
  /** With the names that they have in runs; homes of before edits do not know them. */
  saes: z.array(runSae.partial({ name: true })),
  /** Variants in which features are edited. */
  edited: z.array(variant).default([]),
  prompt,
  /** The run that was shown, by its id in the history. */
  run: z.string().nullable().default(null),
  isDemo: z.boolean()
})
export type Workspace = z.infer<typeof workspace>

/** Where a library folder comes from: shipped with Splice, the Hugging Face cache, or chosen by the person. */
export const libraryFolder = z.object({
  path: z.string(),
  origin: z.enum(['demo', 'hub-cache', 'chosen']),
  /** Whether it is looked through. */
  included: z.boolean(),
  exists: z.boolean()
})
export type LibraryFolder = z.infer<typeof libraryFolder>

/** A place in the Hugging Face cache: the repository, its commit, and the branches or tags that stood for it. */
export const hubPlace = z.object({ repo: z.string(), commit: z.string(), refs: z.array(z.string()) })
export type HubPlace = z.infer<typeof hubPlace>

const found = { hub: hubPlace.nullable(), modifiedAt: z.number() }

/** A model that a scan found. */
export const diskModel = modelSummary.omit({ hookPoints: true, hookWidths: true }).extend(found)
export type DiskModel = z.infer<typeof diskModel>

/** An SAE that a scan found. */
export const diskSae = saeSummary.extend(found)
export type DiskSae = z.infer<typeof diskSae>

/** What looks like a model or an SAE, or a folder that could hold some, and cannot be read. */
export const unreadableItem = z.object({
  what: z.enum(['model', 'sae', 'folder']),
  path: z.string(),
  name: z.string(),
  hub: hubPlace.nullable(),
  error: errorData
})
export type UnreadableItem = z.infer<typeof unreadableItem>

const items = { models: z.array(diskModel), saes: z.array(diskSae), unreadable: z.array(unreadableItem) }

/** What the last scan found. `limits` says where it stopped before the end, and why. */
export const diskContents = z.object({
  ...items,
  /** When it was looked through, in ms since 1970; null before the first time. */
  scannedAt: z.number().nullable(),
  folders: z.int(),
  limits: z.array(z.string())
})
export type DiskContents = z.infer<typeof diskContents>

/** A scan under way: what it has found since the event before; then everything, which is the last event. */
export const scanEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), folder: z.string(), folders: z.int(), ...items }),
  z.object({ type: z.literal('result'), contents: diskContents })
])
export type ScanEvent = z.infer<typeof scanEvent>
