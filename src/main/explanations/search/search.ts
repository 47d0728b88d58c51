/**
 * Search over the mirror, on a connection of its own. Work is cut into slices, between which a cancellation is heard. Counting
 * stops when its time is over; the total is then a lower bound and says so.
 */
import type { Database, Statement } from 'better-sqlite3'
import { z } from 'zod'
import { SpliceError } from '../../../contract/errors.ts'
import type { CountRequest, CountResult, SearchHit, SearchRequest, SearchResult } from '../../../contract/explanations.ts'
import { sourceOfRow } from '../rowids.ts'
import { lengthTerm, mostWords } from './index-terms.ts'
import { KnownTerms } from './known-terms.ts'
import { type LiteralPlan, orLongRuns, planOf } from './literal-plan.ts'
import { containsUpper, findMatches } from './matches.ts'
import { type FilteredRow, type RowFilter, type RowRange, readFilter } from './row-filter.ts'
import { Vocabulary } from './vocabulary.ts'
import { planOfWords, type WordPlan, type WordTier } from './word-plan.ts'
import { findWords, foldedWords, readWordQuery, type WordNode } from './word-query.ts'

/** Texts looked at before the index is asked: where hits are dense that is quicker. */
const firstLook = 3000
/** And those of a rough expression, before all that the index knows is asked for. */
const secondLook = 8000
/** How long hits are ranked by the length of their texts before the rest comes as it is, in ms. */
const rankingTime = 60
/** Rows between two looks at the clock. */
const sliceRows = 512
/** Rows that one statement may count. */
const countedRows = 2 ** 17

/** True when the asker has gone. */
export type Cancelled = () => boolean

/** A row as it comes from SQLite, in the order of `columns`. */
interface TextRow extends FilteredRow {
  readonly row: number
  readonly description: string
}

/** The index ignores bounds that are not integers, and large numbers are bound as floats. */
const inRange = (row: string) => `${row} >= CAST(? AS INTEGER) AND ${row} < CAST(? AS INTEGER)`
const columns = 'e.rowid AS row, e.source, e.feature, e.explainer, e.type, e.description'

const hitRow = z.object({
  id: z.string().nullable(),
  model: z.string(),
  layer: z.string(),
  index: z.number(),
  description: z.string(),
  explainer: z.string().nullable(),
  type: z.string().nullable()
})
const named = z.object({ id: z.number(), name: z.string().optional(), model: z.string().optional(), layer: z.string().optional() })
const countRow = z.object({ explainer: z.number().nullable(), hits: z.number() })

/** The groups of a page's key. Throws `search/key`. */
function readKey(after: string | undefined, pattern: RegExp): string[] | null {
  if (after === undefined) return null
  const match = pattern.exec(after)
  if (match !== null) return match.slice(1)
  throw new SpliceError('search/key', `"${after}" is no key of a next page`, {
    field: 'after',
    hint: 'Give the nextKey of the page before, with the same query and mode.'
  })
}

/** Where a page of ranked hits ended; with `isRest`, among texts longer than `length`. */
interface RankKey {
  readonly isRest: boolean
  readonly matches: number
  readonly length: number
  readonly row: number
}

function readRankKey(after: string | undefined): RankKey | null {
  const [kind, matches, length, row] = readKey(after, wordKey) ?? []
  return kind === undefined ? null : { isRest: kind === 'rest', matches: Number(matches), length: Number(length), row: Number(row) }
}

interface RankedRow {
  readonly row: number
  readonly key: string
}

const literalKey = /^row:(\d{1,15})$/
const wordKey = /^(rank|rest):(\d{1,2}):(\d{1,2}):(\d{1,15})$/

/** Hits by source and explainer, with a clock. */
class Tally {
  readonly #counts = new Map<string, { source: number; explainer: number | null; hits: number }>()
  readonly #deadline: number
  readonly #cancelled: Cancelled
  total = 0

  constructor(milliseconds: number, cancelled: Cancelled) {
    this.#deadline = performance.now() + milliseconds
    this.#cancelled = cancelled
  }

  /** Whether time is over. Throws `search/cancelled`. */
  get isOver(): boolean {
    throwIfCancelled(this.#cancelled)
    return performance.now() >= this.#deadline
  }

  add(source: number, explainer: number | null, hits: number): void {
    const key = `${source} ${explainer}`
    const known = this.#counts.get(key)
    if (known === undefined) this.#counts.set(key, { source, explainer, hits })
    else known.hits += hits
    this.total += hits
  }

  get counts() {
    return this.#counts.values()
  }
}

function throwIfCancelled(cancelled: Cancelled): void {
  if (cancelled()) throw new SpliceError('search/cancelled', 'the search was cancelled')
}

/** What finds texts in the index and what decides over them. */
interface Question {
  /** Null where the index knows nothing of it. */
  readonly expression: string | null
  readonly accepts: (row: TextRow) => boolean
  /** Whether every text of the expression is a hit. */
  readonly isExact: boolean
}

export class Search {
  readonly #database: Database
  readonly #vocabulary: Vocabulary
  readonly #terms: KnownTerms
  readonly #hit: Statement<[number]>
  readonly #scan: Statement<[number, number], TextRow>
  readonly #indexed: Statement<[string, number, number], TextRow>

  constructor(database: Database) {
    this.#database = database
    this.#vocabulary = new Vocabulary(database)
    this.#terms = new KnownTerms(database)
    this.#hit = database.prepare(`
      SELECT e.external_id AS id, s.model, s.layer, e.feature AS "index", e.description, x.name AS explainer, t.name AS type
      FROM explanations e JOIN sources s ON s.id = e.source
      LEFT JOIN explainers x ON x.id = e.explainer LEFT JOIN types t ON t.id = e.type
      WHERE e.rowid = ?`)
    this.#scan = database.prepare(`SELECT ${columns} FROM explanations e WHERE ${inRange('e.rowid')} ORDER BY e.rowid`)
    this.#indexed = database.prepare(
      `SELECT ${columns} FROM text_index i CROSS JOIN explanations e ON e.rowid = i.rowid
       WHERE text_index MATCH ? AND ${inRange('i.rowid')} ORDER BY i.rowid`
    )
  }

  /** The page of hits that follows `after`, and how many there are in all. Throws `search/key` and `search/cancelled`. */
  run(request: SearchRequest, cancelled: Cancelled = () => false): SearchResult {
    const started = performance.now()
    const found = request.mode === 'words' ? this.#words(request, cancelled) : this.#literal(request, cancelled)
    return { ...found, milliseconds: performance.now() - started }
  }

  /** How many hits there are, by model, source and explainer. Throws `search/cancelled`. */
  count(request: CountRequest, cancelled: Cancelled = () => false): CountResult {
    const started = performance.now()
    const filter = readFilter(this.#database, request)
    const tally = new Tally(request.countFor, cancelled)
    const totalIsExact = this.#tally(request, filter, tally)
    return { total: tally.total, totalIsExact, facets: this.#facets(tally), milliseconds: performance.now() - started }
  }

  #facets(tally: Tally): CountResult['facets'] {
    const sources = new Map(
      this.#database
        .prepare('SELECT id, model, layer FROM sources')
        .all()
        .map(row => named.parse(row))
        .map(row => [row.id, row])
    )
    const explainers = new Map(
      this.#database
        .prepare('SELECT id, name FROM explainers')
        .all()
        .map(row => named.parse(row))
        .map(row => [row.id, row])
    )
    const facets: CountResult['facets'] = { model: {}, source: {}, explainer: {} }
    const add = (facet: Record<string, number>, name: string, hits: number) => {
      facet[name] = (facet[name] ?? 0) + hits
    }
    for (const { source, explainer, hits } of tally.counts) {
      const { model = '', layer = '' } = sources.get(source) ?? {}
      add(facets.model, model, hits)
      add(facets.source, `${model}/${layer}`, hits)
      add(facets.explainer, explainer === null ? '' : (explainers.get(explainer)?.name ?? ''), hits)
    }
    return facets
  }

  #describe(rows: readonly number[], matchesOf: (description: string) => [number, number][]): SearchHit[] {
    return rows.map(row => {
      const { id, ...hit } = hitRow.parse(this.#hit.get(row))
      return { id: id ?? `row-${row}`, ...hit, matches: matchesOf(hit.description) }
    })
  }

  #literal(request: SearchRequest, cancelled: Cancelled): Omit<SearchResult, 'milliseconds'> {
    const key = readKey(request.after, literalKey)?.[0]
    const after = key === undefined ? null : Number(key)
    const upper = request.query.toUpperCase()
    const filter = readFilter(this.#database, request)
    const page = upper === '' || !upper.isWellFormed() ? [] : this.#literalPage(upper, filter, after, request.limit + 1, cancelled)
    const shown = page.slice(0, request.limit)
    const next = page.length > request.limit ? shown.at(-1) : undefined
    return {
      ...this.#total(request, filter, page.length, after === null && next === undefined, cancelled),
      nextKey: next === undefined ? null : `row:${next}`,
      hits: this.#describe(shown, description => findMatches(description, upper)),
      problem: null
    }
  }

  /** Up to `count` hits after a row: by looking at some texts first, then by what the index knows. */
  #literalPage(upper: string, filter: RowFilter, after: number | null, count: number, cancelled: Cancelled): number[] {
    const hits: number[] = []
    const accepts = (row: TextRow) => filter.fits?.(row) !== false && containsUpper(row.description, upper)
    const visit = (row: TextRow) => {
      hits.push(row.row)
      return hits.length < count
    }
    let from = this.#walk({ expression: null, accepts }, filter.ranges, (after ?? -1) + 1, firstLook, cancelled, visit)
    if (hits.length === count || from === null) return hits
    const plan = planOf(upper, this.#vocabulary, this.#terms)
    if (plan.rough !== null) {
      const expression = this.#literalExpression({ ...plan, expression: plan.rough }, filter)
      from = this.#walk({ expression, accepts }, filter.ranges, from, secondLook, cancelled, visit)
      if (hits.length === count || from === null) return hits
    }
    this.#walk(
      { expression: this.#literalExpression(plan, filter), accepts },
      filter.ranges,
      from,
      Number.POSITIVE_INFINITY,
      cancelled,
      visit
    )
    return hits
  }

  /** Expression of a plan with the filter's terms; null where every text has to be looked at. */
  #literalExpression({ expression, isNone }: LiteralPlan, filter: RowFilter): string | null {
    const known = isNone ? '"!none"' : expression
    if (known === null) return null
    return narrowed(this.#hasLongRuns ? orLongRuns(known) : known, filter)
  }

  get #hasLongRuns(): boolean {
    return this.#database.prepare(`SELECT 1 FROM text_index WHERE text_index MATCH '"!long"' LIMIT 1`).get() !== undefined
  }

  /**
   * Visits hits in order from a row on until `visit` says no, or `most` texts were looked at. Returns the row to go on from, or
   * null after the last one.
   */
  #walk(
    { expression, accepts }: Pick<Question, 'expression' | 'accepts'>,
    ranges: readonly RowRange[],
    from: number,
    most: number,
    cancelled: Cancelled,
    visit: (row: TextRow) => boolean
  ): number | null {
    let looked = 0
    for (const { first, end } of ranges) {
      const start = Math.max(first, from)
      if (start >= end) continue
      const rows = expression === null ? this.#scan.iterate(start, end) : this.#indexed.iterate(expression, start, end)
      for (const row of rows) {
        looked += 1
        if (looked % sliceRows === 0) throwIfCancelled(cancelled)
        if (accepts(row) && !visit(row)) return row.row + 1
        if (looked >= most) return row.row + 1
      }
    }
    throwIfCancelled(cancelled)
    return null
  }

  #total(
    request: SearchRequest,
    filter: RowFilter,
    onPage: number,
    isWhole: boolean,
    cancelled: Cancelled
  ): Pick<SearchResult, 'total' | 'totalIsExact'> {
    if (isWhole) return { total: onPage, totalIsExact: true }
    const tally = new Tally(request.countFor, cancelled)
    const totalIsExact = request.countFor > 0 && this.#tally(request, filter, tally)
    return { total: Math.max(tally.total, onPage), totalIsExact }
  }

  /** Counts until time is over; true where that was enough. */
  #tally(request: CountRequest, filter: RowFilter, tally: Tally): boolean {
    return this.#questionsOf(request, filter).every(question => this.#tallyOne(question, filter, tally))
  }

  #questionsOf(request: CountRequest, filter: RowFilter): Question[] {
    const fits = (row: TextRow) => filter.fits?.(row) !== false
    const isAnyRow = request.hasStatistics === undefined && request.density === undefined
    if (request.mode === 'words') {
      const { node } = readWordQuery(request.query)
      if (node === null) return []
      const plan = planOfWords(node, this.#vocabulary)
      const last = plan.tiers.at(-1)
      if (last === undefined) return []
      const accepts = (row: TextRow) => fits(row) && plan.count(foldedWords(row.description)) >= last.matches
      return [{ expression: narrowed(last.expression, filter), accepts, isExact: last.isExact && isAnyRow && last.expression !== null }]
    }
    const upper = request.query.toUpperCase()
    if (upper === '' || !upper.isWellFormed()) return []
    const plan = planOf(upper, this.#vocabulary, this.#terms)
    const accepts = (row: TextRow) => fits(row) && containsUpper(row.description, upper)
    if (!plan.isExact || !isAnyRow || plan.expression === null) {
      return [{ expression: this.#literalExpression(plan, filter), accepts, isExact: false }]
    }
    const known: Question = { expression: narrowed(plan.expression, filter), accepts, isExact: true }
    if (!this.#hasLongRuns) return [known]
    return [known, { expression: narrowed(`"!long" NOT ${plan.expression}`, filter), accepts, isExact: false }]
  }

  #tallyOne(question: Question, { ranges }: RowFilter, tally: Tally): boolean {
    if (question.isExact && question.expression !== null) return this.#tallyByIndex(question.expression, ranges, tally)
    let looked = 0
    let isWhole = true
    const accepts = (row: TextRow) => {
      looked += 1
      if (looked % sliceRows === 0 && tally.isOver) isWhole = false
      return !isWhole || question.accepts(row)
    }
    this.#walk(
      { ...question, accepts },
      ranges,
      0,
      Number.POSITIVE_INFINITY,
      () => false,
      row => {
        if (isWhole) tally.add(row.source, row.explainer, 1)
        return isWhole
      }
    )
    return isWhole
  }

  /** Counts without looking at texts, a piece of a source at a time. */
  #tallyByIndex(expression: string, ranges: readonly RowRange[], tally: Tally): boolean {
    const count = this.#database.prepare(
      `SELECT e.explainer, count(*) AS hits FROM text_index i CROSS JOIN explanations e ON e.rowid = i.rowid
       WHERE text_index MATCH ? AND ${inRange('i.rowid')} GROUP BY e.explainer`
    )
    const next = this.#database
      .prepare(`SELECT rowid FROM text_index WHERE text_index MATCH ? AND ${inRange('rowid')} ORDER BY rowid LIMIT 1`)
      .pluck()
    for (const { first, end } of ranges) {
      for (let from: unknown = next.get(expression, first, end); typeof from === 'number'; ) {
        if (tally.isOver) return false
        const source = sourceOfRow(from)
        const to = Math.min(end, from + countedRows, (source + 1) * 2 ** 32)
        for (const row of count.all(expression, from, to)) {
          const { explainer, hits } = countRow.parse(row)
          tally.add(source, explainer, hits)
        }
        from = next.get(expression, to, end)
      }
    }
    return true
  }

  #words(request: SearchRequest, cancelled: Cancelled): Omit<SearchResult, 'milliseconds'> {
    const after = readRankKey(request.after)
    const { node, problem } = readWordQuery(request.query)
    if (node === null) return { total: 0, totalIsExact: true, nextKey: null, hits: [], problem }
    const filter = readFilter(this.#database, request)
    const plan = planOfWords(node, this.#vocabulary)
    const page = this.#rankedPage(plan, filter, after, request.limit + 1, cancelled)
    const shown = page.slice(0, request.limit)
    const next = page.length > request.limit ? shown.at(-1) : undefined
    return {
      ...this.#total(request, filter, page.length, after === null && next === undefined, cancelled),
      nextKey: next?.key ?? null,
      hits: this.#describe(
        shown.map(({ row }) => row),
        description => findWords(description, node satisfies WordNode)
      ),
      problem
    }
  }

  /**
   * Up to `count` hits after a key, best first: tier by tier, within it from the shortest texts on. Where that takes long, the
   * rest of a tier, texts longer than the key says, comes in the order of rows.
   */
  #rankedPage(plan: WordPlan, filter: RowFilter, after: RankKey | null, count: number, cancelled: Cancelled): RankedRow[] {
    const started = performance.now()
    const hits: RankedRow[] = []
    for (const tier of plan.tiers) {
      if (after !== null && tier.matches > after.matches) continue
      const resumed = after !== null && tier.matches === after.matches ? after : null
      const fits = this.#accepts(tier, plan, filter)
      const collect = (length: number, isRest: boolean, question: Pick<Question, 'expression' | 'accepts'>) => {
        const from = resumed?.length === length && resumed.isRest === isRest ? resumed.row + 1 : 0
        this.#walk(question, filter.ranges, from, Number.POSITIVE_INFINITY, cancelled, ({ row }) => {
          hits.push({ row, key: `${isRest ? 'rest' : 'rank'}:${tier.matches}:${length}:${row}` })
          return hits.length < count
        })
      }
      for (let length = resumed?.length ?? 1; length <= mostWords; length++) {
        const isRest = resumed?.isRest === true || (length > 1 && performance.now() - started > rankingTime)
        if (isRest) {
          const longest = resumed?.isRest === true ? length : length - 1
          const accepts = (row: TextRow) => fits(row) && foldedWords(row.description).length > longest
          collect(longest, true, { expression: narrowed(tier.expression, filter), accepts })
        } else collect(length, false, { expression: this.#ofLength(tier, length, filter), accepts: fits })
        if (hits.length === count) return hits
        if (isRest) break
      }
    }
    return hits
  }

  #ofLength({ expression }: WordTier, length: number, filter: RowFilter): string {
    const ofLength = `"${lengthTerm(length)}"`
    return narrowed(expression === null ? ofLength : `${expression} AND ${ofLength}`, filter) ?? ofLength
  }

  #accepts(tier: WordTier, plan: WordPlan, filter: RowFilter): (row: TextRow) => boolean {
    const isTold = tier.isExact && plan.tiers.length === 1
    return row => filter.fits?.(row) !== false && (isTold || plan.count(foldedWords(row.description)) === tier.matches)
  }
}

/** An expression with the terms of a filter; null where there is neither. */
function narrowed(expression: string | null, { terms }: RowFilter): string | null {
  if (expression === null) return null
  return terms.length === 0 ? expression : `(${expression}) AND ${terms.map(term => `"${term}"`).join(' AND ')}`
}
