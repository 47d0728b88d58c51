/**
 * The mirror: Neuronpedia's explanations, feature statistics and examples in one SQLite file. Readers have connections of their
 * own, in threads or in this one; writing happens in a thread of the one writer, one job after the other.
 */
import { Worker } from 'node:worker_threads'
import { z } from 'zod'
import { errorData, SpliceError } from '../../contract/errors.ts'
import {
  type CountRequest,
  type CountResult,
  type FeaturePage,
  type ImportProgress,
  importProgress,
  importSummary,
  type SearchRequest,
  type SearchResult,
  type SourceSummary
} from '../../contract/explanations.ts'
import { explainFailure, openDatabase } from './database.ts'
import { type ExplainedFeature, MirrorReading } from './mirror-reading.ts'
import type { MirroredLogits } from './mirrored-logits.ts'
import { type Answers, answer, type Question } from './reader-messages.ts'
import { ReaderPool } from './reader-pool.ts'
import { threadEntry } from './thread-entry.ts'

export type { ExplainedFeature } from './mirror-reading.ts'

export interface ImportOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: ImportProgress) => void
}

const fromWriter = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), progress: importProgress }),
  z.object({ type: z.literal('result'), outcome: z.object({ result: importSummary, rejectsFile: z.string().nullable() }) }),
  z.object({ type: z.literal('error'), error: errorData })
])

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
  let imports: Promise<unknown> = Promise.resolve()
  const writers = new Set<Worker>()
  let importing = 0

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

  /** One import in the writer's thread. */
  function importInThread(paths: readonly string[], { signal, onProgress }: ImportOptions) {
    const cancelled = new SharedArrayBuffer(4)
    const cancel = () => Atomics.store(new Int32Array(cancelled), 0, 1)
    if (signal?.aborted === true) cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    return new Promise<z.infer<typeof fromWriter> & { type: 'result' }>((resolve, reject) => {
      const worker = new Worker(threadEntry('mirror-writer'), { workerData: { file, paths, cancelled } })
      writers.add(worker)
      worker.on('message', raw => {
        const message = fromWriter.parse(raw)
        if (message.type === 'progress') onProgress?.(message.progress)
        else if (message.type === 'result') resolve(message)
        else reject(SpliceError.fromData(message.error))
      })
      worker.on('error', reject)
      worker.on('exit', () => {
        writers.delete(worker)
        signal?.removeEventListener('abort', cancel)
        reject(
          new SpliceError('import/ended', 'the import ended before it was done', {
            mistake: false,
            hint: 'Import again; what is there is skipped.'
          })
        )
      })
    }).then(({ outcome }) => outcome)
  }

  return {
    /** Whether an import is under way. */
    get importing(): boolean {
      return importing > 0
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

    /** The kinds of explanations there are, such as `oai_token-act-pair`, by name. */
    types(): Promise<string[]> {
      return ask({ kind: 'types' })
    },

    /** How many explanations and sources there are. */
    counts(): Promise<{ explanations: number; sources: number }> {
      return ask({ kind: 'counts' })
    },

    /** Each feature's own explanations, all of them, in the order of import, and its known maximum. Unknown features are left out. */
    explanationsOf(source: string, indices: readonly number[]): Promise<Map<number, ExplainedFeature>> {
      return ask({ kind: 'explanationsOf', source, indices: [...indices] })
    },

    /** Imports files and folders after imports that were asked for before. Throws `import/...` and `mirror/...`. */
    importFiles(paths: readonly string[], options: ImportOptions = {}) {
      importing += 1
      const work = imports
        .then(() => importInThread(paths, options))
        .finally(() => {
          importing -= 1
        })
      imports = work.catch(() => undefined)
      return work
    },

    /** Ends imports between two transactions, and reading, and closes the file. */
    async close(): Promise<void> {
      await Promise.all([...[...writers].map(worker => worker.terminate()), pool.close()])
      if (reading !== null) database.close()
    }
  }
}
