/** What the writer's thread is asked to do, and what it says meanwhile. */
import type { Database } from 'better-sqlite3'
import { z } from 'zod'
import { errorData } from '../../contract/errors.ts'
import { type ImportProgress, importProgress, importSummary } from '../../contract/explanations.ts'
import { backupResult, checkResult, compactResult, type MirrorProgress, mirrorProgress, removeResult } from '../../contract/mirror.ts'
import { importFeed, importFiles } from './import/import.ts'
import { type ImportFeed, type ImportFile, importFile } from './import/import-files.ts'
import { ownSource, writeOwnSource } from './import/own-source.ts'
import { backUp } from './maintenance/backup.ts'
import { checkMirror } from './maintenance/check.ts'
import { compact } from './maintenance/compact.ts'
import { finishRemovals, removeEmbeddings, removeSources } from './maintenance/removal.ts'

export const writerJob = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('import'), paths: z.array(z.string()), withEmbeddings: z.boolean() }),
  /** Files come as messages. */
  z.object({ kind: z.literal('sync'), bytes: z.number(), withEmbeddings: z.boolean() }),
  z.object({ kind: z.literal('harvest'), source: ownSource }),
  z.object({ kind: z.literal('check') }),
  z.object({ kind: z.literal('backup'), file: z.string() }),
  z.object({ kind: z.literal('remove'), sources: z.array(z.string()), what: z.enum(['everything', 'embeddings']) }),
  z.object({ kind: z.literal('compact') }),
  /** Finishes removals that were cut off. */
  z.object({ kind: z.literal('settle') })
])
export type WriterJob = z.infer<typeof writerJob>

const imported = z.object({ result: importSummary, rejectsFile: z.string().nullable() })

/** The result of each kind of job. */
export const writerResults = {
  import: imported,
  sync: imported,
  harvest: z.object({ features: z.int() }),
  check: checkResult,
  backup: backupResult,
  remove: removeResult,
  compact: compactResult,
  settle: z.null()
} as const
export type WriterResults = { [Kind in WriterJob['kind']]: z.infer<(typeof writerResults)[Kind]> }

/** What the thread is told while it works: a file to import, or that there are no more. */
export const toWriter = z.discriminatedUnion('type', [
  z.object({ type: z.literal('file'), file: importFile }),
  z.object({ type: z.literal('end') })
])
export type ToWriter = z.infer<typeof toWriter>

export const fromWriter = z.discriminatedUnion('type', [
  z.object({ type: z.literal('import-progress'), progress: importProgress }),
  z.object({ type: z.literal('progress'), progress: mirrorProgress }),
  z.object({ type: z.literal('file'), name: z.string(), rows: z.int(), rejected: z.int() }),
  z.object({ type: z.literal('result'), result: z.unknown() }),
  z.object({ type: z.literal('error'), error: errorData })
])

/** What a job hears and says. */
export interface WriterControl {
  readonly feed: ImportFeed
  isCancelled(): boolean
  onImportProgress(progress: ImportProgress): void
  onProgress(progress: MirrorProgress): void
  onFile(file: ImportFile, rows: { rows: number; rejected: number }): void
}

/** Does a job. Throws what went wrong, and what was done before stays whole. */
export async function doJob(database: Database, file: string, job: WriterJob, control: WriterControl): Promise<unknown> {
  // Work on sources that are being removed was cut off: room and names are to be free first.
  if (job.kind !== 'check' && job.kind !== 'backup') finishRemovals(database, control)
  const importOptions = {
    onProgress: control.onImportProgress,
    onFile: control.onFile,
    isCancelled: control.isCancelled
  }
  switch (job.kind) {
    case 'import':
      return importFiles(database, file, job.paths, { ...importOptions, withEmbeddings: job.withEmbeddings })
    case 'sync':
      return importFeed(database, file, control.feed, job.bytes, { ...importOptions, withEmbeddings: job.withEmbeddings })
    case 'harvest':
      return writeOwnSource(database, job.source, control)
    case 'check':
      return checkMirror(database, control)
    case 'backup':
      return backUp(database, job.file, control)
    case 'remove':
      return job.what === 'everything' ? removeSources(database, job.sources, control) : removeEmbeddings(database, job.sources, control)
    case 'compact':
      return compact(database, control)
    case 'settle':
      return null
  }
}
