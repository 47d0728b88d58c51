/**
 * The mirror: Neuronpedia's explanations, feature statistics and examples in one SQLite file. Reading happens here, on a
 * connection of its own; importing happens in the writer's thread.
 */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { inflateSync } from 'node:zlib'
import { z } from 'zod'
import { errorData, SpliceError } from '../../contract/errors.ts'
import {
  type FeaturePage,
  type FeatureStatistics,
  importSummary,
  type SearchRequest,
  type SearchResult,
  type SourceSummary
} from '../../contract/explanations.ts'
import type { FeatureExplanation } from '../../contract/run.ts'
import { explainFailure, openDatabase } from './database.ts'
import { storedDetails, storedExamples } from './rows.ts'
import { defaultCountingTime, Search } from './search.ts'

export interface ImportOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: { file: string; rows: number; fraction: number }) => void
}

/** A feature's explanations and its known maximum. */
export interface ExplainedFeature {
  readonly explanations: FeatureExplanation[]
  readonly maxActivation: number | null
}

const fromWriter = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), progress: z.object({ file: z.string(), rows: z.int(), fraction: z.number() }) }),
  z.object({ type: z.literal('result'), outcome: z.object({ result: importSummary, rejectsFile: z.string().nullable() }) }),
  z.object({ type: z.literal('error'), error: errorData })
])

/** The writer's thread, from the sources or from the bundle. */
function writerEntry(): URL {
  if (import.meta.url.endsWith('.ts')) return new URL('./mirror-writer.ts', import.meta.url)
  const beside = new URL('./mirror-writer.js', import.meta.url)
  return fs.existsSync(fileURLToPath(beside)) ? beside : new URL('../mirror-writer.js', import.meta.url)
}

const explainedRow = z.object({ feature: z.number(), description: z.string(), explainer: z.string().nullable() })
const maximumRow = z.object({ feature: z.number(), maximum: z.number().nullable() })
const explanationRow = z.object({
  row: z.number(),
  external: z.string().nullable(),
  description: z.string(),
  explainer: z.string().nullable(),
  type: z.string().nullable(),
  author: z.string().nullable()
})
const statisticsRow = z.object({ maximum: z.number().nullable(), density: z.number().nullable(), details: z.instanceof(Uint8Array) })
const sourceRow = z.object({
  model: z.string(),
  layer: z.string(),
  explanations: z.number(),
  features: z.number(),
  statistics: z.number(),
  explainers: z.string().nullable()
})

function unpack<Schema extends z.ZodType>(blob: Uint8Array, schema: Schema): z.infer<Schema> {
  return schema.parse(JSON.parse(inflateSync(blob).toString('utf8')))
}

export type Mirror = Awaited<ReturnType<typeof openMirror>>

/**
 * Opens the mirror's file, making it when it is not there. `countingTime` (ms) is how long a search may count hits beyond its
 * page. Throws `mirror/...` naming the file.
 */
export async function openMirror(file: string, { countingTime = defaultCountingTime }: { countingTime?: number } = {}) {
  const database = openDatabase(file)
  let search: Search | null = null
  let imports: Promise<unknown> = Promise.resolve()
  const writers = new Set<Worker>()
  let importing = 0

  function sourceNumber(source: string): number | null {
    const slash = source.indexOf('/')
    const id = database
      .prepare('SELECT id FROM sources WHERE model = ? AND layer = ?')
      .pluck()
      .get(source.slice(0, slash), source.slice(slash + 1))
    return typeof id === 'number' ? id : null
  }

  /** Runs a read, with SQLite's failures in words. */
  async function read<Result>(use: () => Result | Promise<Result>): Promise<Result> {
    try {
      return await use()
    } catch (thrown) {
      throw explainFailure(file, thrown)
    }
  }

  function statisticsOf(source: number, feature: number): FeatureStatistics | null {
    const found = database
      .prepare('SELECT max_activation AS maximum, density, details FROM feature_statistics WHERE source = ? AND feature = ?')
      .get(source, feature)
    if (found === undefined) return null
    const { maximum, density, details } = statisticsRow.parse(found)
    const { histogram, top, bottom } = unpack(details, storedDetails)
    return {
      maxActivation: maximum,
      density,
      activationHistogram: histogram.map(([value, count]) => ({ value, count })),
      topLogits: top.map(([token, value]) => ({ token, value })),
      bottomLogits: bottom.map(([token, value]) => ({ token, value }))
    }
  }

  /** The nearest known feature on one side; null at the end. */
  function neighbour(source: number, index: number, side: '<' | '>'): number | null {
    const [pick, order] = side === '<' ? ['max', 'DESC'] : ['min', 'ASC']
    const found = database
      .prepare(
        `SELECT ${pick}(feature) FROM (
           SELECT * FROM (SELECT feature FROM explanations WHERE source = @source AND feature ${side} @index ORDER BY feature ${order} LIMIT 1)
           UNION ALL SELECT * FROM (SELECT feature FROM feature_statistics WHERE source = @source AND feature ${side} @index ORDER BY feature ${order} LIMIT 1))`
      )
      .pluck()
      .get({ source, index })
    return typeof found === 'number' ? found : null
  }

  /** One import in the writer's thread. */
  function importInThread(paths: readonly string[], { signal, onProgress }: ImportOptions) {
    const cancelled = new SharedArrayBuffer(4)
    const cancel = () => Atomics.store(new Int32Array(cancelled), 0, 1)
    if (signal?.aborted === true) cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    return new Promise<z.infer<typeof fromWriter> & { type: 'result' }>((resolve, reject) => {
      const worker = new Worker(writerEntry(), { workerData: { file, paths, cancelled } })
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
      return read(() => {
        search ??= new Search(database, countingTime)
        return search.run(request, signal)
      })
    },

    /** All that is known of one feature; `known` is false when that is nothing. */
    feature(source: string, index: number): Promise<FeaturePage> {
      return read(() => {
        const slash = source.indexOf('/')
        const [model, layer] = [source.slice(0, slash), source.slice(slash + 1)]
        const number = sourceNumber(source)
        const rows = database
          .prepare(
            `SELECT e.rowid AS row, e.external_id AS external, e.description, x.name AS explainer, t.name AS type, e.author
             FROM explanations e LEFT JOIN explainers x ON x.id = e.explainer LEFT JOIN types t ON t.id = e.type
             WHERE e.source = ? AND e.feature = ? ORDER BY e.rowid`
          )
          .all(number, index)
          .map(row => explanationRow.parse(row))
        const statistics = number === null ? null : statisticsOf(number, index)
        const examples = database
          .prepare('SELECT examples FROM feature_examples WHERE source = ? AND feature = ?')
          .pluck()
          .get(number, index)
        return {
          source,
          index,
          known: rows.length > 0 || statistics !== null,
          explanations: rows.map(({ row, external, ...rest }) => ({ id: external ?? `row-${row}`, ...rest })),
          statistics,
          examples: examples instanceof Uint8Array ? unpack(examples, storedExamples) : [],
          previousIndex: number === null ? null : neighbour(number, index, '<'),
          nextIndex: number === null ? null : neighbour(number, index, '>'),
          neuronpediaUrl: model.startsWith('demo-') ? null : `https://www.neuronpedia.org/${model}/${layer}/${index}`
        }
      })
    },

    /** The sources there are, by model and layer. */
    sources(): Promise<SourceSummary[]> {
      return read(() =>
        database
          .prepare(
            `SELECT s.model, s.layer,
               (SELECT count(*) FROM explanations e WHERE e.source = s.id) AS explanations,
               (SELECT count(DISTINCT feature) FROM explanations e WHERE e.source = s.id) AS features,
               (SELECT count(*) FROM feature_statistics f WHERE f.source = s.id) AS statistics,
               (SELECT json_group_array(name) FROM (SELECT DISTINCT x.name FROM explanations e JOIN explainers x ON x.id = e.explainer WHERE e.source = s.id ORDER BY x.name)) AS explainers
             FROM sources s ORDER BY s.model, s.layer`
          )
          .all()
          .map(row => {
            const { model, layer, explainers, ...counts } = sourceRow.parse(row)
            return {
              source: `${model}/${layer}`,
              model,
              layer,
              ...counts,
              explainers: z.array(z.string()).parse(JSON.parse(explainers ?? '[]'))
            }
          })
      )
    },

    /** How many explanations and sources there are. */
    counts(): Promise<{ explanations: number; sources: number }> {
      return read(() => ({
        explanations: Number(database.prepare('SELECT count(*) FROM explanations').pluck().get()),
        sources: Number(database.prepare('SELECT count(*) FROM sources').pluck().get())
      }))
    },

    /** Each feature's own explanations, all of them, in the order of import, and its known maximum. Unknown features are left out. */
    explanationsOf(source: string, indices: readonly number[]): Promise<Map<number, ExplainedFeature>> {
      return read(() => {
        const features = new Map<number, ExplainedFeature>()
        const number = sourceNumber(source)
        if (number === null || indices.length === 0) return features
        const wanted = JSON.stringify(indices)
        const explained = database
          .prepare(
            `SELECT e.feature, e.description, x.name AS explainer FROM explanations e LEFT JOIN explainers x ON x.id = e.explainer
             WHERE e.source = ? AND e.feature IN (SELECT value FROM json_each(?)) ORDER BY e.feature, e.rowid`
          )
          .all(number, wanted)
        const maxima = database
          .prepare(
            `SELECT feature, max_activation AS maximum FROM feature_statistics WHERE source = ? AND feature IN (SELECT value FROM json_each(?))`
          )
          .all(number, wanted)
        for (const row of maxima) {
          const { feature, maximum } = maximumRow.parse(row)
          features.set(feature, { explanations: [], maxActivation: maximum })
        }
        for (const row of explained) {
          const { feature, description, explainer } = explainedRow.parse(row)
          const known = features.get(feature) ?? { explanations: [], maxActivation: null }
          known.explanations.push({ description, explainer })
          features.set(feature, known)
        }
        return features
      })
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

    /** Ends imports between two batches' writes and closes the file. */
    async close(): Promise<void> {
      await Promise.all([...writers].map(worker => worker.terminate()))
      database.close()
    }
  }
}
