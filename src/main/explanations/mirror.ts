/**
 * The mirror: Neuronpedia's explanations, feature statistics and examples in one SQLite file. Readers have connections of their
 * own, in threads or in this one; writing happens in a thread of the one writer, one job after the other.
 */
import path from 'node:path'
import type {
  CountRequest,
  CountResult,
  FeaturePage,
  ImportProgress,
  RejectedRows,
  SearchRequest,
  SearchResult,
  SimilarRequest,
  SimilarResult,
  SourceOverview,
  SourceSummary
} from '../../contract/explanations.ts'
import type {
  BackupResult,
  CheckResult,
  CompactResult,
  MirrorProgress,
  MirrorState,
  RemoveRequest,
  RemoveResult
} from '../../contract/mirror.ts'
import { explainFailure, openDatabase } from './database.ts'
import type { OwnSource } from './import/own-source.ts'
import { readRejects } from './import/rejects.ts'
import { noSource } from './maintenance/removal.ts'
import { type ExplainedFeature, MirrorReading } from './mirror-reading.ts'
import type { MirroredLogits } from './mirrored-logits.ts'
import { type Answers, answer, type Question } from './reader-messages.ts'
import { ReaderPool } from './reader-pool.ts'
import type { KnownWidth } from './source-overview.ts'
import { type JobOptions, WriterQueue } from './writer-queue.ts'

export type { ExplainedFeature } from './mirror-reading.ts'

export interface ImportOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: ImportProgress) => void
  /** Keeps the files' embeddings too, for finding similar explanations. */
  readonly withEmbeddings?: boolean
}

/** Work on the mirror that may take long. */
export interface WorkOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: MirrorProgress) => void
}

export type Mirror = Awaited<ReturnType<typeof openMirror>>

/**
 * Opens the mirror's file, making it when it is not there. `readers` is how many threads read it; with none, reading happens in
 * this thread and blocks it. Throws `mirror/...` naming the file.
 */
export async function openMirror(file: string, { readers = 0 }: { readers?: number } = {}) {
  // Opening brings the schema up to date, before any thread looks at it.
  const database = openDatabase(file)
  const reading = readers === 0 ? new MirrorReading(database) : null
  if (reading === null) database.close()
  const pool = new ReaderPool(file, readers)
  const writer = new WriterQueue(file)

  /** Asks this thread's reading or one of the readers. */
  async function ask<Kind extends Question['kind']>(
    question: Extract<Question, { kind: Kind }>,
    signal?: AbortSignal
  ): Promise<Answers[Kind]> {
    if (reading === null) return pool.ask(question, signal)
    try {
      // A question's kind decides its answer: `answer` in reader-messages.ts.
      return answer(reading, question, () => signal?.aborted === true) as Answers[Kind]
    } catch (thrown) {
      throw explainFailure(file, thrown)
    }
  }

  return {
    /** Whether an import, a sync or the writing of a harvest is under way. */
    get importing(): boolean {
      return writer.work === 'import' || writer.work === 'sync' || writer.work === 'harvest'
    },

    /** A page of hits. Throws `search/key` for a key of no page, `search/cancelled`. */
    search(request: SearchRequest, signal?: AbortSignal): Promise<SearchResult> {
      return ask({ kind: 'search', request }, signal)
    },

    /** How many hits there are, by model, source and explainer. Throws `search/cancelled`. */
    count(request: CountRequest, signal?: AbortSignal): Promise<CountResult> {
      return ask({ kind: 'count', request }, signal)
    },

    /** All that is known of one feature; `known` is false when that is nothing. */
    feature(source: string, index: number): Promise<FeaturePage> {
      return ask({ kind: 'feature', source, index })
    },

    /** The sources there are, by model and layer. */
    sources(): Promise<SourceSummary[]> {
      return ask({ kind: 'sources' })
    },

    /** The tokens that Neuronpedia says are raised most by some features, then by others of the source, up to `count` in all. */
    sampleLogits(source: string, features: readonly number[], count: number): Promise<MirroredLogits[]> {
      return ask({ kind: 'sampleLogits', source, features: [...features], count })
    },

    /** One source in numbers; `width` is what is known of its SAE. Throws `mirror/no-source`. */
    async overview(source: string, width: KnownWidth): Promise<SourceOverview> {
      const overview = await ask({ kind: 'overview', source, width })
      if (overview === null) throw noSource(source)
      return overview
    },

    /** Explanations like those of a feature. Throws `similar/...`, `search/cancelled`. */
    similar(request: SimilarRequest, signal?: AbortSignal): Promise<SimilarResult> {
      return ask({ kind: 'similar', request }, signal)
    },

    /** How many explanations and sources there are. */
    counts(): Promise<{ explanations: number; sources: number }> {
      return ask({ kind: 'counts' })
    },

    /** Each feature's own explanations, all of them, in the order of import, and its known maximum. Unknown features are left out. */
    explanationsOf(source: string, indices: readonly number[]): Promise<Map<number, ExplainedFeature>> {
      return ask({ kind: 'explanationsOf', source, indices: [...indices] })
    },

    /** The first rows of a rejects file that an import into this mirror wrote. Throws `rejects/...`. */
    rejects(rejectsFile: string, limit: number): Promise<RejectedRows> {
      return readRejects(file, rejectsFile, limit)
    },

    /** The mirror's file, what is in it, and what its writer does now. */
    async state(): Promise<MirrorState> {
      return { file, work: writer.work, ...(await ask({ kind: 'state' })) }
    },

    /** Imports files and folders. Throws `import/...` and `mirror/...`. */
    importFiles(paths: readonly string[], { signal, onProgress, withEmbeddings = false }: ImportOptions = {}) {
      return writer.run({ kind: 'import', paths: [...paths], withEmbeddings }, { signal, onImportProgress: onProgress })
    },

    /** Imports files as they come, `bytes` in all; `options.onStart` gives what sends them. Throws `import/...` and `mirror/...`. */
    importAsTheyCome(bytes: number, withEmbeddings: boolean, options: JobOptions) {
      return writer.run({ kind: 'sync', bytes, withEmbeddings }, options)
    },

    /** Writes a source of one's own. Throws `harvest/name-taken`, `mirror/...`; then nothing of it is there. */
    writeOwnSource(source: OwnSource, { signal, onProgress }: WorkOptions = {}): Promise<{ features: number }> {
      return writer.run({ kind: 'harvest', source }, { signal, onProgress })
    },

    /** Which of some files, by name and version, are in the mirror to their end. */
    knownFiles(files: readonly { name: string; bytes: number; version: string }[], withEmbeddings: boolean): Promise<boolean[]> {
      return ask({ kind: 'knownFiles', files: [...files], withEmbeddings })
    },

    /** Finishes work that was cut off, such as by a crash. Throws `mirror/...`. */
    async settle(): Promise<void> {
      if ((await ask({ kind: 'state' })).removing.length > 0) await writer.run({ kind: 'settle' })
    },

    /** Looks whether the mirror is whole. Throws `mirror/cancelled`. */
    check({ signal, onProgress }: WorkOptions = {}): Promise<CheckResult> {
      return writer.run({ kind: 'check' }, { signal, onProgress })
    },

    /** Copies the mirror to a file that is not there yet. Throws `mirror/...`; then nothing is at `target`. */
    backup(target: string, { signal, onProgress }: WorkOptions = {}): Promise<BackupResult> {
      return writer.run({ kind: 'backup', file: path.resolve(target) }, { signal, onProgress })
    },

    /** Takes sources, or their embeddings alone, out of the mirror. Throws `mirror/no-source`, `mirror/cancelled`. */
    remove({ sources, what }: RemoveRequest, { signal, onProgress }: WorkOptions = {}): Promise<RemoveResult> {
      return writer.run({ kind: 'remove', sources, what }, { signal, onProgress })
    },

    /** Gives free room back to the disk. Throws `mirror/no-room`, `mirror/cancelled`. */
    compact({ signal, onProgress }: WorkOptions = {}): Promise<CompactResult> {
      return writer.run({ kind: 'compact' }, { signal, onProgress })
    },

    /** Ends work between two transactions, and reading, and closes the file. */
    async close(): Promise<void> {
      await Promise.all([writer.close(), pool.close()])
      if (reading !== null) database.close()
    }
  }
}
