/**
 * Search over the mirror, on a connection of its own. Work is cut into slices, between which a cancellation is heard. Counting
 * stops when its time is over; the total is then a lower bound and says so.
 */
import type { Database, Statement } from 'better-sqlite3'
import { z } from 'zod'
import type { CountRequest, CountResult, Facets, SearchHit, SearchRequest, SearchResult } from '../../../contract/explanations.ts'
import { type CountedQuestion, type HitCount, HitCounter } from './hit-counter.ts'
import { KnownTerms } from './known-terms.ts'
import { LiteralSearch } from './literal-search.ts'
import { findMatches } from './matches.ts'
import { type RowFilter, readFilter } from './row-filter.ts'
import { type Cancelled, TextWalk } from './text-walk.ts'
import { Vocabulary } from './vocabulary.ts'
import { findWords, readWordQuery } from './word-query.ts'
import { noSuchPage, WordSearch } from './word-search.ts'

export type { Cancelled } from './text-walk.ts'

const hitRow = z.object({
  id: z.string().nullable(),
  model: z.string(),
  layer: z.string(),
  index: z.number(),
  description: z.string(),
  explainer: z.string().nullable(),
  type: z.string().nullable(),
  density: z.number().nullable()
})
const sourceName = z.object({ id: z.number(), model: z.string(), layer: z.string() })
const idAndName = z.object({ id: z.number(), name: z.string() })

/** Rows of a page in order, with one more where there are more, and the key that each is the end of a page by. */
interface Page {
  readonly rows: readonly { readonly row: number; readonly key: string }[]
  matchesOf(description: string): [number, number][]
}

const rowKey = /^row:(\d{1,15})$/

function readRowKey(after: string | undefined): number {
  if (after === undefined) return -1
  const row = rowKey.exec(after)?.[1]
  if (row === undefined) throw noSuchPage(after)
  return Number(row)
}

export class Search {
  readonly #database: Database
  readonly #hit: Statement<[number]>
  readonly #literal: LiteralSearch
  readonly #words: WordSearch
  readonly #counter: HitCounter

  constructor(database: Database) {
    this.#database = database
    this.#hit = database.prepare(`
      SELECT e.external_id AS id, s.model, s.layer, e.feature AS "index", e.description, x.name AS explainer, t.name AS type, f.density
      FROM explanations e JOIN sources s ON s.id = e.source
      LEFT JOIN explainers x ON x.id = e.explainer LEFT JOIN types t ON t.id = e.type
      LEFT JOIN feature_statistics f ON f.source = e.source AND f.feature = e.feature
      WHERE e.rowid = CAST(? AS INTEGER)`)
    const walk = new TextWalk(database)
    const index = { vocabulary: new Vocabulary(database), terms: new KnownTerms(database) }
    this.#literal = new LiteralSearch(database, walk, index)
    this.#words = new WordSearch(walk, index)
    this.#counter = new HitCounter(database, walk)
  }

  /** The page of hits that follows `after`, and how many there are in all. Throws `search/key` and `search/cancelled`. */
  run(request: SearchRequest, cancelled: Cancelled = () => false): SearchResult {
    const started = performance.now()
    const filter = readFilter(this.#database, request)
    const { rows, matchesOf } =
      request.mode === 'words' ? this.#wordPage(request, filter, cancelled) : this.#literalPage(request, filter, cancelled)
    const { after = null, skip = 0, limit } = request
    const shown = rows.slice(skip, skip + limit)
    const next = rows.length > skip + limit ? (shown.at(-1)?.key ?? null) : null
    const isAll = after === null && next === null
    return {
      ...(isAll ? { total: rows.length, totalIsExact: true } : this.#total(request, filter, rows.length, cancelled)),
      passed: Math.min(skip, rows.length),
      startKey: skip === 0 ? after : (rows[Math.min(skip, rows.length) - 1]?.key ?? after),
      nextKey: next,
      hits: shown.map(({ row }) => this.#describe(row, matchesOf)),
      problem: request.mode === 'words' ? readWordQuery(request.query).problem : null,
      milliseconds: performance.now() - started
    }
  }

  #literalPage({ query, after, skip = 0, limit }: SearchRequest, filter: RowFilter, cancelled: Cancelled): Page {
    const rows = this.#literal.page(query, filter, readRowKey(after), skip + limit + 1, cancelled)
    const upper = query.toUpperCase()
    return { rows: rows.map(row => ({ row, key: `row:${row}` })), matchesOf: description => findMatches(description, upper) }
  }

  #wordPage({ query, after, skip = 0, limit }: SearchRequest, filter: RowFilter, cancelled: Cancelled): Page {
    const { node } = readWordQuery(query)
    if (node === null) return { rows: [], matchesOf: () => [] }
    return {
      rows: this.#words.page(node, filter, after, skip + limit + 1, cancelled),
      matchesOf: description => findWords(description, node)
    }
  }

  #describe(row: number, matchesOf: Page['matchesOf']): SearchHit {
    const { id, ...hit } = hitRow.parse(this.#hit.get(row))
    return { id: id ?? `row-${row}`, ...hit, matches: matchesOf(hit.description) }
  }

  #total(request: SearchRequest, filter: RowFilter, onPage: number, cancelled: Cancelled) {
    if (request.countFor === 0) return { total: onPage, totalIsExact: false }
    const { total, isWhole } = this.#count(request, filter, cancelled)
    return { total: Math.max(total, onPage), totalIsExact: isWhole }
  }

  /** How many hits there are, by model, source, explainer and type. Throws `search/cancelled`. */
  count(request: CountRequest, cancelled: Cancelled = () => false): CountResult {
    const started = performance.now()
    const { total, isWhole, counts } = this.#count(request, readFilter(this.#database, request), cancelled)
    return { total, totalIsExact: isWhole, facets: this.#facets(counts), milliseconds: performance.now() - started }
  }

  #count(request: CountRequest, filter: RowFilter, cancelled: Cancelled) {
    return this.#counter.run(this.#questions(request, filter), filter.ranges, request.countFor, cancelled)
  }

  #questions({ query, mode, hasStatistics, density }: CountRequest, filter: RowFilter): CountedQuestion[] {
    const isAnyRow = hasStatistics === undefined && density === undefined
    if (mode === 'substring') return this.#literal.questions(query, filter, isAnyRow)
    const { node } = readWordQuery(query)
    return node === null ? [] : this.#words.questions(node, filter, isAnyRow)
  }

  #facets(counts: readonly HitCount[]): Facets {
    const rows = (sql: string) => this.#database.prepare(sql).all()
    const sources = new Map(rows('SELECT id, model, layer FROM sources').map(row => [sourceName.parse(row).id, sourceName.parse(row)]))
    const namesOf = (table: 'explainers' | 'types') =>
      new Map(rows(`SELECT id, name FROM ${table}`).map(row => [idAndName.parse(row).id, idAndName.parse(row).name]))
    const explainers = namesOf('explainers')
    const types = namesOf('types')
    const facets: Facets = { model: {}, source: {}, explainer: {}, type: {} }
    const add = (facet: Record<string, number>, name: string, hits: number) => {
      facet[name] = (facet[name] ?? 0) + hits
    }
    for (const { source, explainer, type, hits } of counts) {
      const { model = '', layer = '' } = sources.get(source) ?? {}
      add(facets.model, model, hits)
      add(facets.source, `${model}/${layer}`, hits)
      add(facets.explainer, explainer === null ? '' : (explainers.get(explainer) ?? ''), hits)
      add(facets.type, type === null ? '' : (types.get(type) ?? ''), hits)
    }
    return facets
  }
}
