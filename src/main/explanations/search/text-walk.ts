/** Goes through texts in the order of rows: all of them, or those that an expression of the text index finds. */
import type { Database, Statement } from 'better-sqlite3'
import { SpliceError } from '../../../contract/errors.ts'
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
  accepts(row: TextRow): boolean
}

/** Rows between two looks at whether the asker is still there. */
const sliceRows = 512

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
  /** Texts that are looked at before the walk stops by itself. */
  readonly most: number
  readonly cancelled: Cancelled
}

export class TextWalk {
  readonly #scan: Statement<[number, number], TextRow>
  readonly #indexed: Statement<[string, number, number], TextRow>

  constructor(database: Database) {
    this.#scan = database.prepare(`SELECT ${columns} FROM explanations e WHERE ${inRange('e.rowid')} ORDER BY e.rowid`)
    this.#indexed = database.prepare(
      `SELECT ${columns} FROM text_index i CROSS JOIN explanations e ON e.rowid = i.rowid
       WHERE text_index MATCH ? AND ${inRange('i.rowid')} ORDER BY i.rowid`
    )
  }

  /**
   * Visits what a question accepts until `visit` says no, or enough texts were looked at. Returns the row to go on from, or null
   * after the last one. Throws `search/cancelled`.
   */
  run(
    question: Question,
    ranges: readonly RowRange[],
    { from, most, cancelled }: WalkOptions,
    visit: (row: TextRow) => boolean
  ): number | null {
    let looked = 0
    for (const { first, end } of ranges) {
      const start = Math.max(first, from)
      if (start >= end) continue
      const { expression } = question
      const rows = expression === null ? this.#scan.iterate(start, end) : this.#indexed.iterate(expression, start, end)
      for (const row of rows) {
        looked += 1
        if (looked % sliceRows === 0) throwIfCancelled(cancelled)
        if (question.accepts(row) && !visit(row)) return row.row + 1
        if (looked >= most) return row.row + 1
      }
    }
    throwIfCancelled(cancelled)
    return null
  }
}
