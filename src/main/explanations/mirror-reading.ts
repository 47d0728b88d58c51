/** Reading the mirror, on a connection of its own: search, feature pages, sources. It may live in any thread. */

import { inflateSync } from 'node:zlib'
import type { Database } from 'better-sqlite3'
import { z } from 'zod'
import type {
  CountRequest,
  CountResult,
  FeatureExample,
  FeaturePage,
  FeatureStatistics,
  SearchRequest,
  SearchResult,
  SimilarRequest,
  SimilarResult,
  SourceOverview,
  SourceSummary
} from '../../contract/explanations.ts'
import type { MirrorState } from '../../contract/mirror.ts'
import type { FeatureExplanation } from '../../contract/run.ts'
import { aboutOwn, readAbout } from './harvest-about.ts'
import { ImportLog, isReadWhole } from './import/import-log.ts'
import { storedDetails, storedExamples } from './import/rows.ts'
import { bytesOf } from './maintenance/backup.ts'
import { freeBytesWithin, pendingRemovals } from './maintenance/removal.ts'
import { type MirroredLogits, sampleLogits } from './mirrored-logits.ts'
import { type Cancelled, Search } from './search/search.ts'
import { SimilarSearch } from './similar/similar-search.ts'
import { countSource, type KnownWidth } from './source-overview.ts'
import { SourceSummaries, type StoredSummary } from './source-summaries.ts'

/** A feature's explanations, its known maximum, and the share of tokens on which it is active. */
export interface ExplainedFeature {
  readonly explanations: FeatureExplanation[]
  readonly maxActivation: number | null
  readonly density: number | null
}

const explainedRow = z.object({ feature: z.number(), description: z.string(), explainer: z.string().nullable() })
const figuresRow = z.object({ feature: z.number(), maximum: z.number().nullable(), density: z.number().nullable() })
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
  id: z.number(),
  model: z.string(),
  layer: z.string(),
  layerNumber: z.number().nullable(),
  release: z.string().nullable(),
  explanations: z.number().nullable(),
  features: z.number().nullable(),
  statistics: z.number().nullable(),
  embeddings: z.number().nullable(),
  explainers: z.string().nullable(),
  bytes: z.number().nullable(),
  about: z.string().nullable()
})

function unpack<Schema extends z.ZodType>(blob: Uint8Array, schema: Schema): z.infer<Schema> {
  return schema.parse(JSON.parse(inflateSync(blob).toString('utf8')))
}

export class MirrorReading {
  readonly #database: Database
  readonly #search: Search
  readonly #summaries: SourceSummaries
  readonly #similar: SimilarSearch

  constructor(database: Database) {
    this.#database = database
    this.#search = new Search(database)
    this.#summaries = new SourceSummaries(database)
    this.#similar = new SimilarSearch(database)
  }

  /** A page of hits. Throws `search/key` for a key of no page, `search/cancelled`. */
  search(request: SearchRequest, cancelled?: Cancelled): SearchResult {
    return this.#atOnce(() => this.#search.run(request, cancelled))
  }

  /** How many hits there are, by model, source and explainer. Throws `search/cancelled`. */
  count(request: CountRequest, cancelled?: Cancelled): CountResult {
    return this.#atOnce(() => this.#search.count(request, cancelled))
  }

  /** Reads the mirror as it is at one moment, whatever is written meanwhile. */
  #atOnce<Result>(read: () => Result): Result {
    return this.#database.transaction(read)()
  }

  #sourceNumber(source: string): number | null {
    const slash = source.indexOf('/')
    const id = this.#database
      .prepare('SELECT id FROM sources WHERE model = ? AND layer = ?')
      .pluck()
      .get(source.slice(0, slash), source.slice(slash + 1))
    return typeof id === 'number' ? id : null
  }

  #statisticsOf(source: number, feature: number): FeatureStatistics | null {
    const found = this.#database
      .prepare('SELECT max_activation AS maximum, density, details FROM feature_statistics WHERE source = ? AND feature = ?')
      .get(source, feature)
    if (found === undefined) return null
    const { maximum, density, details } = statisticsRow.parse(found)
    const { histogram, logitHistogram, top, bottom } = unpack(details, storedDetails)
    const bars = (pairs: readonly (readonly [number, number])[]) => pairs.map(([value, count]) => ({ value, count }))
    return {
      maxActivation: maximum,
      density,
      activationHistogram: bars(histogram),
      logitHistogram: bars(logitHistogram),
      topLogits: top.map(([token, value]) => ({ token, value })),
      bottomLogits: bottom.map(([token, value]) => ({ token, value }))
    }
  }

  #examplesOf(source: number, feature: number): FeatureExample[] {
    const parts = this.#database
      .prepare('SELECT examples FROM feature_examples WHERE source = ? AND feature = ? ORDER BY part')
      .pluck()
      .all(source, feature)
    const examples = parts.flatMap(part => (part instanceof Uint8Array ? unpack(part, storedExamples) : []))
    return parts.length > 1 ? examples.sort((a, b) => b.maxValue - a.maxValue) : examples
  }

  /** The nearest known feature on one side; null at the end. */
  #neighbour(source: number, index: number, side: '<' | '>'): number | null {
    const [pick, order] = side === '<' ? ['max', 'DESC'] : ['min', 'ASC']
    const found = this.#database
      .prepare(
        `SELECT ${pick}(feature) FROM (
           SELECT * FROM (SELECT feature FROM explanations WHERE source = @source AND feature ${side} @index ORDER BY feature ${order} LIMIT 1)
           UNION ALL SELECT * FROM (SELECT feature FROM feature_statistics WHERE source = @source AND feature ${side} @index ORDER BY feature ${order} LIMIT 1))`
      )
      .pluck()
      .get({ source, index })
    return typeof found === 'number' ? found : null
  }

  /** All that is known of one feature; `known` is false when that is nothing. */
  feature(source: string, index: number): FeaturePage {
    return this.#atOnce(() => this.#feature(source, index))
  }

  #feature(source: string, index: number): FeaturePage {
    const slash = source.indexOf('/')
    const [model, layer] = [source.slice(0, slash), source.slice(slash + 1)]
    const number = this.#sourceNumber(source)
    const rows = this.#database
      .prepare(
        `SELECT e.rowid AS row, e.external_id AS external, e.description, x.name AS explainer, t.name AS type, a.name AS author
         FROM explanations e LEFT JOIN explainers x ON x.id = e.explainer LEFT JOIN types t ON t.id = e.type
         LEFT JOIN authors a ON a.id = e.author
         WHERE e.source = ? AND e.feature = ? ORDER BY e.rowid`
      )
      .all(number, index)
      .map(row => explanationRow.parse(row))
    const statistics = number === null ? null : this.#statisticsOf(number, index)
    const harvest = number === null ? null : aboutOwn(this.#database, number)
    return {
      source,
      index,
      known: rows.length > 0 || statistics !== null,
      explanations: rows.map(({ row, external, ...rest }) => ({ id: external ?? `row-${row}`, ...rest })),
      statistics,
      examples: number === null ? [] : this.#examplesOf(number, index),
      previousIndex: number === null ? null : this.#neighbour(number, index, '<'),
      nextIndex: number === null ? null : this.#neighbour(number, index, '>'),
      harvest,
      neuronpediaUrl: harvest !== null || model.startsWith('demo-') ? null : `https://www.neuronpedia.org/${model}/${layer}/${index}`
    }
  }

  /** The sources there are, by model and layer. */
  sources(): SourceSummary[] {
    return this.#summariesOf('')
  }

  /** `where` narrows the sources `s`. */
  #summariesOf(where: '' | 'WHERE s.id = ?', ...values: number[]): SourceSummary[] {
    return this.#database
      .prepare(
        `SELECT s.id, s.model, s.layer, s.layer_number AS layerNumber, s.release,
           m.explanations, m.features, m.statistics, m.embeddings, m.explainers, m.bytes, h.about
         FROM sources s LEFT JOIN source_summaries m ON m.source = s.id LEFT JOIN harvests h ON h.source = s.id ${where} ORDER BY s.model, s.layer_number, s.layer`
      )
      .all(...values)
      .map(row => {
        const { id, model, layer, layerNumber, release, about, ...kept } = sourceRow.parse(row)
        const { explainers, ...counts } = isWhole(kept) ? kept : this.#summaries.count(id)
        const names = z.array(z.string()).parse(JSON.parse(explainers))
        const named = { source: `${model}/${layer}`, model, layer, layerNumber, release: release ?? layer }
        return { ...named, ...counts, explainers: names, harvest: readAbout(about) }
      })
  }

  /** Top logits of some features, then of others, up to `count`; see `sampleLogits`. */
  sampleLogits(source: string, features: readonly number[], count: number): MirroredLogits[] {
    const number = this.#sourceNumber(source)
    return number === null ? [] : sampleLogits(this.#database, number, features, count)
  }

  /** One source in numbers; null where it is not there. */
  overview(source: string, width: KnownWidth): SourceOverview | null {
    return this.#atOnce(() => {
      const number = this.#sourceNumber(source)
      const summary = number === null ? undefined : this.#summariesOf('WHERE s.id = ?', number)[0]
      return number === null || summary === undefined ? null : { ...summary, ...countSource(this.#database, number, width) }
    })
  }

  /** Explanations like those of a feature. Throws `similar/...`, `search/cancelled`. */
  similar(request: SimilarRequest, cancelled: Cancelled = () => false): SimilarResult {
    return this.#atOnce(() => this.#similar.run(request, cancelled))
  }

  /** How many explanations and sources there are: a source's rows follow each other. */
  counts(): { explanations: number; sources: number } {
    const explanations = this.#database
      .prepare(
        `SELECT ifnull(sum(1 + (SELECT max(rowid) FROM explanations WHERE rowid >= s.id << 32 AND rowid < (s.id + 1) << 32) - (s.id << 32)), 0) FROM sources s`
      )
      .pluck()
      .get()
    return { explanations: Number(explanations), sources: Number(this.#database.prepare('SELECT count(*) FROM sources').pluck().get()) }
  }

  /** The file's size, what is in it, and what is still to be taken out of it. */
  state(): Omit<MirrorState, 'file' | 'work'> {
    return {
      bytes: bytesOf(this.#database),
      freeBytes: freeBytesWithin(this.#database),
      ...this.counts(),
      embeddings: Number(this.#database.prepare('SELECT count(*) FROM embeddings').pluck().get()),
      removing: [...pendingRemovals(this.#database).values()]
    }
  }

  /** For each file whether it was read to its end, with its embeddings where they are wanted; rows that were rejected then would be again. */
  knownFiles(files: readonly { name: string; bytes: number; version: string }[], withEmbeddings: boolean): boolean[] {
    const log = new ImportLog(this.#database)
    return files.map(file => isReadWhole(log.find(file), withEmbeddings))
  }

  /** Each feature's own explanations, all of them, in the order of import, and its known maximum and density. Unknown features are left out. */
  explanationsOf(source: string, indices: readonly number[]): Map<number, ExplainedFeature> {
    const features = new Map<number, ExplainedFeature>()
    const number = this.#sourceNumber(source)
    if (number === null || indices.length === 0) return features
    const wanted = JSON.stringify(indices)
    const explained = this.#database
      .prepare(
        `SELECT e.feature, e.description, x.name AS explainer FROM explanations e LEFT JOIN explainers x ON x.id = e.explainer
         WHERE e.source = ? AND e.feature IN (SELECT value FROM json_each(?)) ORDER BY e.feature, e.rowid`
      )
      .all(number, wanted)
    const figures = this.#database
      .prepare(
        `SELECT feature, max_activation AS maximum, density FROM feature_statistics WHERE source = ? AND feature IN (SELECT value FROM json_each(?))`
      )
      .all(number, wanted)
    for (const row of figures) {
      const { feature, maximum, density } = figuresRow.parse(row)
      features.set(feature, { explanations: [], maxActivation: maximum, density })
    }
    for (const row of explained) {
      const { feature, description, explainer } = explainedRow.parse(row)
      const known = features.get(feature) ?? { explanations: [], maxActivation: null, density: null }
      known.explanations.push({ description, explainer })
      features.set(feature, known)
    }
    return features
  }
}

function isWhole(summary: { [Key in keyof StoredSummary]: StoredSummary[Key] | null }): summary is StoredSummary {
  return Object.values(summary).every(value => value !== null)
}
