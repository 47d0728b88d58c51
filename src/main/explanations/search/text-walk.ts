/** Goes through texts in the order of rows: all of them, or those that an expression of the text index finds. */
import type { Database, Statement } from 'better-sqlite3'
import { SpliceError } from '../../../contract/errors.ts'
import { likePattern, mayContain } from './matches.ts'
import type { FilteredRow, RowFilter, RowRange } from './row-filter.ts'

/** True when the asker has gone. */
export type Cancelled = () => boolean

/** A row with its text. */
export interface TextRow extends FilteredRow {
  readonly row: number
  readonly description: string
}

/** What finds texts and what decides over them. */
export interface Question {
  /** Null where every text has to be looked at. */
  readonly expression: string | null
  /** Upper-cased pieces that every accepted text contains, one behind the other: SQLite passes over most others. Empty where none are known. */
  readonly contains: readonly string[]
  accepts(row: TextRow): boolean
}

/** Rows between two looks at whether the asker is still there. */
const sliceRows = 512
/** Where SQLite passes over texts, each row of so many in a row comes nevertheless, as a sign of life. */
const passedRows = 4096
/** And one of so many that the index finds; which ones is as good as chance. */
const passedFound = 16
const isSignOfLife = (row: string) => `${row} % 4093 % ${passedFound} = 0`

const columns = 'e.rowid AS row, e.source, e.feature, e.explainer, e.type, e.description'

/** The index ignores bounds that are not integers, and large numbers are bound as floats. */
export function inRange(row: string): string {
  return `${row} >= CAST(? AS INTEGER) AND ${row} < CAST(? AS INTEGER)`
}

/** Throws `search/cancelled` where the asker has gone. */
export function throwIfCancelled(cancelled: Cancelled): void {
  if (cancelled()) throw new SpliceError('search/cancelled', 'the search was cancelled')
}

/** An expression with the terms of a filter. */
export function narrowed(expression: string, { terms }: RowFilter): string {
  return terms.length === 0 ? expression : `(${expression}) AND ${terms.map(term => `"${term}"`).join(' AND ')}`
}

export interface WalkOptions {
  /** The first row that is looked at. */
  readonly from: number
  readonly cancelled: Cancelled
  /** Asked now and then, with how many texts were looked at or passed over: true ends the walk. */
  readonly isEnough?: (looked: number) => boolean
}

export class TextWalk {
  readonly #scan: Statement<[number, number], TextRow>
  readonly #indexed: Statement<[string, number, number], TextRow>
  readonly #scanFor: Statement<[number, number, string], TextRow>
  readonly #indexedFor: Statement<[string, number, number, string], TextRow>

  constructor(database: Database) {
    const scan = `SELECT ${columns} FROM explanations e WHERE ${inRange('e.rowid')}`
    const indexed = `SELECT ${columns} FROM text_index i CROSS JOIN explanations e ON e.rowid = i.rowid
       WHERE text_index MATCH ? AND ${inRange('i.rowid')}`
    const mayMatch = mayContain('e.description')
    this.#scan = database.prepare(`${scan} ORDER BY e.rowid`)
    this.#indexed = database.prepare(`${indexed} ORDER BY i.rowid`)
    this.#scanFor = database.prepare(`${scan} AND (e.rowid % ${passedRows} = 0 OR ${mayMatch}) ORDER BY e.rowid`)
    this.#indexedFor = database.prepare(`${indexed} AND (${isSignOfLife('e.rowid')} OR ${mayMatch}) ORDER BY i.rowid`)
  }

  /**
   * Visits what a question accepts until `visit` says no or it is enough. Returns the row to go on from,
   * or null after the last one. Throws `search/cancelled`.
   */
  run(
    question: Question,
    ranges: readonly RowRange[],
    { from, cancelled, isEnough }: WalkOptions,
    visit: (row: TextRow) => boolean
  ): number | null {
    let [looked, nextSlice] = [0, sliceRows]
    for (const { first, end } of ranges) {
      const start = Math.max(first, from)
      if (start >= end) continue
      let last: TextRow | null = null
      for (const row of this.#rows(question, start, end)) {
        looked += passed(question, row, last)
        last = row
        if (looked >= nextSlice) {
          nextSlice = looked + sliceRows
          throwIfCancelled(cancelled)
          if (isEnough?.(looked) === true) return row.row
        }
        if (question.accepts(row) && !visit(row)) return row.row + 1
      }
    }
    throwIfCancelled(cancelled)
    return null
  }

  #rows({ expression, contains }: Question, start: number, end: number): IterableIterator<TextRow> {
    if (contains.length === 0) return expression === null ? this.#scan.iterate(start, end) : this.#indexed.iterate(expression, start, end)
    const pattern = likePattern(contains)
    return expression === null ? this.#scanFor.iterate(start, end, pattern) : this.#indexedFor.iterate(expression, start, end, pattern)
  }
}

/** How many texts were looked at or passed over since the last row. */
function passed({ expression, contains }: Question, { row, source }: TextRow, last: TextRow | null): number {
  if (expression === null) return last?.source === source ? row - last.row : 1
  if (contains.length === 0) return 1
  return (row % 4093) % passedFound === 0 ? passedFound : 0
}
