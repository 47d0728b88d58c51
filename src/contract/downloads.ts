import { z } from 'zod'
import { errorData } from './errors.ts'

/** A repository of the Hugging Face hub, `owner/name`, or `name` for a few old ones. */
export const repositoryName = z.string().regex(/^(?!.*(?:--|\.\.))(?:[\w.-]+\/)?[\w-][\w.-]*$/, 'is no repository: write owner/name')

/** A branch, tag or commit. */
export const revisionName = z.string().regex(/^(?!.*\.\.)[\w][\w./-]*$/, 'is no branch, tag or commit')

/**
 * What to download: a published SAE by its names in SAELens, or files of a repository. `patterns` are Python's fnmatch patterns
 * (`*` goes over slashes), or paths of files or folders; without any, a model's own files.
 */
export const downloadRequest = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('sae'), release: z.string().min(1), saeId: z.string().min(1) }),
  z.object({
    kind: z.literal('repository'),
    repo: repositoryName,
    revision: revisionName.default('main'),
    patterns: z.array(z.string().min(1)).default([])
  })
])
export type DownloadRequest = z.infer<typeof downloadRequest>

/** `cached` was on this disk already; `waiting` also for another process that fetches the same file. */
export const downloadFileState = z.enum(['waiting', 'running', 'checking', 'done', 'cached'])

export const downloadedFile = z.object({
  path: z.string(),
  sizeBytes: z.number(),
  doneBytes: z.number(),
  state: downloadFileState
})
export type DownloadedFile = z.infer<typeof downloadedFile>

/** A download of this engine, newest first where they are listed. A failed or cancelled one goes on where it stopped when started again. */
export const download = z.object({
  id: z.string(),
  /** In a few words, e.g. `gemma-scope-2b-pt-res layer_20/width_16k/average_l0_71`. */
  title: z.string(),
  request: downloadRequest,
  state: z.enum(['preparing', 'running', 'done', 'failed', 'cancelled']),
  repo: z.string(),
  revision: z.string(),
  /** The commit that the revision stands for, once the hub has said it. */
  commit: z.string().nullable(),
  /** Those under way first; at most 100 of `fileCount`. */
  files: z.array(downloadedFile),
  fileCount: z.int(),
  filesDone: z.int(),
  totalBytes: z.number(),
  /** Bytes that are on this disk, those of former tries included. */
  doneBytes: z.number(),
  /** Bytes that this try has fetched. */
  fetchedBytes: z.number(),
  bytesPerSecond: z.number().nullable(),
  startedAt: z.number(),
  endedAt: z.number().nullable(),
  /** What can be opened when it is done: the SAE's or model's folder or file. */
  path: z.string().nullable(),
  error: errorData.nullable()
})
export type Download = z.infer<typeof download>

/** Whose token goes to the hub for gated repositories; the token itself never leaves the engine. */
export const tokenState = z.object({
  origin: z.enum(['environment', 'setting', 'file']).nullable(),
  /** The variable or file that holds it. */
  name: z.string().nullable()
})
export type TokenState = z.infer<typeof tokenState>
