/** Syncing the mirror with Neuronpedia's bulk bucket: what to fetch, what it will take, how far it is. */
import { z } from 'zod'
import { errorData } from './errors.ts'
import { importSummary } from './explanations.ts'

/** The address that serves the bucket; another one than Neuronpedia's own for a copy of it. */
const endpoint = z.url({ protocol: /^https?$/ }).optional()

/** Sources by name (`modelId/layer`), those of a model, perhaps of one release (`gemmascope-res-16k`), or all there are. */
export const syncSelection = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('sources'), sources: z.array(z.string().regex(/^[^/]+\/[^/]+$/, 'is no modelId/layer')).min(1) }),
  z.object({ kind: z.literal('model'), model: z.string().min(1), release: z.string().min(1).optional() }),
  z.object({ kind: z.literal('all') })
])
export type SyncSelection = z.infer<typeof syncSelection>

/** What to sync. Explanations always; statistics (`features`), examples (`activations`) and embeddings where they are asked for. */
export const syncRequest = z.object({
  selection: syncSelection,
  features: z.boolean().default(false),
  activations: z.boolean().default(false),
  embeddings: z.boolean().default(false),
  /** A folder that keeps the files as the bucket names them; without it each one is removed once it is imported. */
  keepIn: z.string().min(1).optional(),
  endpoint
})
export type SyncRequest = z.infer<typeof syncRequest>

/** What a sync would take. Bytes of the mirror and seconds are estimates. */
export const syncEstimate = z.object({
  sources: z.int(),
  /** Files of the selection, and those of them that the mirror has already as they are now. */
  files: z.int(),
  knownFiles: z.int(),
  /** Bytes still to be downloaded. */
  downloadBytes: z.number(),
  /** Bytes that the mirror will grow by, its index included. */
  mirrorBytes: z.number(),
  /** Room that is needed at most, files that wait for their import included, and room that there is; null where the system does not say. */
  diskBytes: z.number(),
  freeBytes: z.number().nullable(),
  /** What one connection brought just now; null where nothing is to be fetched. */
  bytesPerSecond: z.number().nullable(),
  seconds: z.number().nullable()
})
export type SyncEstimate = z.infer<typeof syncEstimate>

export const syncPlanEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), sources: z.int(), files: z.int() }),
  z.object({ type: z.literal('result'), estimate: syncEstimate })
])
export type SyncPlanEvent = z.infer<typeof syncPlanEvent>

/** `again`: a connection failed, and it is tried again in a while. */
export const syncedFile = z.object({
  key: z.string(),
  sizeBytes: z.number(),
  doneBytes: z.number(),
  state: z.enum(['waiting', 'downloading', 'again', 'importing', 'done', 'failed']),
  error: errorData.nullable()
})
export type SyncedFile = z.infer<typeof syncedFile>

/** The sync of this engine: there is one at a time. One that was paused, cancelled or failed goes on where it stopped. */
export const syncState = z.object({
  request: syncRequest,
  /** `waiting`: another process syncs. */
  state: z.enum(['waiting', 'listing', 'running', 'paused', 'done', 'failed', 'cancelled']),
  estimate: syncEstimate.nullable(),
  /** Those under way and those that failed first; at most 100 of `fileCount`, which counts those that are not in the mirror yet. */
  files: z.array(syncedFile),
  fileCount: z.int(),
  filesDone: z.int(),
  filesFailed: z.int(),
  totalBytes: z.number(),
  /** Bytes that are on this disk or in the mirror, those of former tries included. */
  doneBytes: z.number(),
  /** Bytes that this sync has fetched. */
  fetchedBytes: z.number(),
  bytesPerSecond: z.number().nullable(),
  secondsLeft: z.number().nullable(),
  /** What became of rows so far. */
  rows: importSummary,
  rejectsFile: z.string().nullable(),
  startedAt: z.number(),
  endedAt: z.number().nullable(),
  error: errorData.nullable()
})
export type SyncState = z.infer<typeof syncState>

/** What the bucket holds: its models, or with `model` the names of that model's sources. */
export const bucketListRequest = z.object({ model: z.string().min(1).optional(), endpoint })
