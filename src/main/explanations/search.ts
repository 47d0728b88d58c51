/**
 * Search over the mirror. It works in slices of a few milliseconds and lets other work in between them, so that neither a
 * long scan nor its cancellation waits. Counting stops after a while; the total is then a lower bound and says so.
 */
import type { Database, Statement } from 'better-sqlite3'
import { SpliceError } from '../../contract/errors.ts'
import type { SearchHit, SearchRequest, SearchResult } from '../../contract/explanations.ts'
import { containsUpper, findMatches, findWords, trigramExpression, wordExpression } from './matches.ts'

/** Rows looked at between two pauses. */
const sliceRows = 2000
/** How long counting goes on after the page is full, in ms, where nobody says otherwise. */
export const defaultCountingTime = 150

interface FoundRow {
  readonly rowid: number
  readonly description: string
}

/** A filter over rows, in SQL, with its parameters. */
interface Filter {
  readonly sql: string
  readonly values: readonly (string | number)[]
}

function filterOf(request: SearchRequest): Filter {
  const conditions: string[] = []
  const values: (string | number)[] = []
  if (request.model !== undefined) {
    conditions.push('e.source IN (SELECT id FROM sources WHERE model = ?)')
    values.push(request.model)
  }
  if (request.source !== undefined) {
    conditions.push("e.source IN (SELECT id FROM sources WHERE layer = ? OR model || '/' || layer = ?)")
    values.push(request.source, request.source)
  }
  if (request.explainer !== undefined) {
    conditions.push('e.explainer IN (SELECT id FROM explainers WHERE name = ?)')
    values.push(request.explainer)
  }
  return { sql: conditions.map(condition => ` AND ${condition}`).join(''), values }
}

function pause(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

function keyOf(after: string | undefined, prefix: 'row' | 'rank'): number | null {
  if (after === undefined) return null
  const number = new RegExp(`^${prefix}:(\\d{1,15})$`).exec(after)?.[1]
  if (number === undefined) {
    throw new SpliceError('search/key', `"${after}" is no key of a next page`, {
      field: 'after',
      hint: 'Give the nextKey of the page before, with the same query and mode.'
    })
  }
  return Number(number)
}

export class Search {
  readonly #database: Database
  readonly #countingTime: number
  readonly #hit: Statement<[number]>

  constructor(database: Database, countingTime: number) {
    this.#database = database
    this.#countingTime = countingTime
    this.#hit = database.prepare(`
      SELECT e.rowid AS row, e.external_id AS id, s.model, s.layer, e.feature AS "index", e.description, x.name AS explainer, t.name AS type
      FROM explanations e JOIN sources s ON s.id = e.source
      LEFT JOIN explainers x ON x.id = e.explainer LEFT JOIN types t ON t.id = e.type
      WHERE e.rowid = ?`)
  }

  /** The page of hits that follows `after`, and how many there are in all. Throws `search/key` and `search/cancelled`. */
  async run(request: SearchRequest, signal?: AbortSignal): Promise<SearchResult> {
    const started = performance.now()
    const found = request.mode === 'words' ? await this.#words(request, signal) : await this.#substring(request, signal)
    return { ...found, milliseconds: performance.now() - started }
  }

  #checkCancelled(signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) throw new SpliceError('search/cancelled', 'the search was cancelled')
  }

  #describe(rows: readonly number[], matchesOf: (description: string) => [number, number][]): SearchHit[] {
    return rows.map(row => {
      const found = this.#hit.get(row)
      if (!isHitRow(found)) throw new Error(`explanation ${row} is gone`)
      const { id, model, layer, index, description, explainer, type } = found
      return { id: id ?? `row-${row}`, model, layer, index, description, explainer, type, matches: matchesOf(description) }
    })
  }

  async #substring(request: SearchRequest, signal: AbortSignal | undefined): Promise<Omit<SearchResult, 'milliseconds'>> {
    const after = keyOf(request.after, 'row')
    const upper = request.query.toUpperCase()
    if (upper === '') return { total: 0, totalIsExact: true, nextKey: null, hits: [] }
    const candidates = this.#candidates(upper, filterOf(request))

    const page: number[] = []
    let total = 0
    let isExact = true
    let last = -1
    let isLast = false
    if (after !== null) {
      const rest = await this.#collect(candidates, upper, after, request.limit + 1, signal)
      page.push(...rest)
    }
    const counted = performance.now()
    while (!isLast) {
      this.#checkCancelled(signal)
      const rows = candidates(last)
      isLast = rows.length < sliceRows
      for (const { rowid, description } of rows) {
        last = rowid
        if (!containsUpper(description, upper)) continue
        total += 1
        if (after === null && page.length <= request.limit) page.push(rowid)
      }
      const isPageFull = after !== null || page.length > request.limit
      if (!isLast && isPageFull && performance.now() - counted >= this.#countingTime) {
        isExact = false
        break
      }
      if (!isLast) await pause()
    }
    const shown = page.slice(0, request.limit)
    const next = page.length > request.limit ? shown.at(-1) : undefined
    return {
      total: Math.max(total, page.length),
      totalIsExact: isExact,
      nextKey: next === undefined ? null : `row:${next}`,
      hits: this.#describe(shown, description => findMatches(description, upper))
    }
  }

  /** Up to `count` hits after a row. */
  async #collect(
    candidates: (after: number) => readonly FoundRow[],
    upper: string,
    after: number,
    count: number,
    signal: AbortSignal | undefined
  ): Promise<number[]> {
    const hits: number[] = []
    let last = after
    for (;;) {
      this.#checkCancelled(signal)
      const rows = candidates(last)
      for (const { rowid, description } of rows) {
        last = rowid
        if (containsUpper(description, upper)) hits.push(rowid)
        if (hits.length === count) return hits
      }
      if (rows.length < sliceRows) return hits
      await pause()
    }
  }

  /** Rows that may match, in the order of their rowids, a slice at a time. */
  #candidates(upper: string, filter: Filter): (after: number) => readonly FoundRow[] {
    const expression = trigramExpression(upper)
    if (expression === null) {
      const scan = this.#database.prepare(
        `SELECT e.rowid AS rowid, e.description AS description FROM explanations e WHERE e.rowid > ?${filter.sql} ORDER BY e.rowid LIMIT ${sliceRows}`
      )
      return after => scan.all(after, ...filter.values).filter(isFoundRow)
    }
    // The index is asked for a slice of rows before the filter is looked at, so that a rare source does not make a long query.
    const indexed = this.#database.prepare(
      `SELECT e.rowid AS rowid, CASE WHEN 1${filter.sql} THEN e.description ELSE '' END AS description
       FROM (SELECT rowid AS found FROM substring_index WHERE substring_index MATCH ? AND rowid > ? ORDER BY rowid LIMIT ${sliceRows}) i
       JOIN explanations e ON e.rowid = i.found ORDER BY e.rowid`
    )
    return after => indexed.all(...filter.values, expression, after).filter(isFoundRow)
  }

  async #words(request: SearchRequest, signal: AbortSignal | undefined): Promise<Omit<SearchResult, 'milliseconds'>> {
    const skip = keyOf(request.after, 'rank') ?? 0
    const expression = wordExpression(request.query)
    if (expression === null) return { total: 0, totalIsExact: true, nextKey: null, hits: [] }
    const filter = filterOf(request)
    const from = `FROM word_index w JOIN explanations e ON e.rowid = w.rowid WHERE word_index MATCH ?${filter.sql}`
    const total = Number(
      this.#database
        .prepare(`SELECT count(*) ${from}`)
        .pluck()
        .get(expression, ...filter.values)
    )
    await pause()
    this.#checkCancelled(signal)
    const rows = this.#database
      .prepare(`SELECT e.rowid ${from} ORDER BY bm25(word_index), e.rowid LIMIT ? OFFSET ?`)
      .pluck()
      .all(expression, ...filter.values, request.limit, skip)
      .map(Number)
    const next = skip + rows.length
    return {
      total,
      totalIsExact: true,
      nextKey: next < total && rows.length > 0 ? `rank:${next}` : null,
      hits: this.#describe(rows, description => findWords(description, request.query))
    }
  }
}

function isFoundRow(row: unknown): row is FoundRow {
  return typeof row === 'object' && row !== null && 'rowid' in row && 'description' in row
}

interface HitRow {
  id: string | null
  model: string
  layer: string
  index: number
  description: string
  explainer: string | null
  type: string | null
}

function isHitRow(row: unknown): row is HitRow {
  return typeof row === 'object' && row !== null && 'description' in row && 'layer' in row
}
