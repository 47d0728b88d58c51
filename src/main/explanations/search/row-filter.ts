/** What a search is narrowed to: ranges of rows (a source is a range), terms of the index, and what is asked of each row. */
import type { Database } from 'better-sqlite3'
import type { SearchFilter } from '../../../contract/explanations.ts'
import { firstRow } from '../rowids.ts'
import { explainerTerm, typeTerm } from './index-terms.ts'

/** Rows `[first, end)`. */
export interface RowRange {
  readonly first: number
  readonly end: number
}

/** A row as far as a filter looks at it. */
export interface FilteredRow {
  readonly source: number
  readonly feature: number
  readonly explainer: number | null
  readonly type: number | null
}

export interface RowFilter {
  /** In order, none touching another. Empty where no source fits. */
  readonly ranges: readonly RowRange[]
  /** Terms of the index that a row must have. */
  readonly terms: readonly string[]
  /** Whether the row fits; null where every row of the ranges does. */
  readonly fits: ((row: FilteredRow) => boolean) | null
}

/** All rows but those of sources that are being removed. */
function everything(database: Database): RowRange[] {
  const ranges: RowRange[] = []
  let first = 0
  for (const removed of database.prepare('SELECT source FROM removals ORDER BY source').pluck().all().map(Number)) {
    if (first < firstRow(removed)) ranges.push({ first, end: firstRow(removed) })
    first = firstRow(removed + 1)
  }
  return [...ranges, { first, end: Number.MAX_SAFE_INTEGER }]
}

function sourcesThatFit(database: Database, { model, release, source, layers }: SearchFilter): number[] {
  const conditions: string[] = []
  const values: (string | number)[] = []
  const add = (condition: string, ...more: (string | number)[]) => {
    conditions.push(condition)
    values.push(...more)
  }
  if (model !== undefined) add('model = ?', model)
  if (release !== undefined) add('release = ?', release)
  if (source !== undefined) add("(layer = ? OR model || '/' || layer = ?)", source, source)
  if (layers !== undefined) add('layer_number BETWEEN ? AND ?', layers.from ?? 0, layers.to ?? Number.MAX_SAFE_INTEGER)
  return database
    .prepare(`SELECT id FROM sources WHERE ${conditions.join(' AND ')} ORDER BY id`)
    .pluck()
    .all(...values)
    .map(Number)
}

function rangesOf(sources: readonly number[]): RowRange[] {
  const ranges: { first: number; end: number }[] = []
  for (const source of sources) {
    const last = ranges.at(-1)
    if (last?.end === firstRow(source)) last.end = firstRow(source + 1)
    else ranges.push({ first: firstRow(source), end: firstRow(source + 1) })
  }
  return ranges
}

function numberOf(database: Database, table: 'explainers' | 'types', name: string): number | null {
  const id = database.prepare(`SELECT id FROM ${table} WHERE name = ?`).pluck().get(name)
  return typeof id === 'number' ? id : null
}

/** Reads a request's filter against the mirror's names. */
export function readFilter(database: Database, filter: SearchFilter): RowFilter {
  const { model, release, source, layers, explainer, type, hasStatistics, density } = filter
  const narrowsSources = model !== undefined || release !== undefined || source !== undefined || layers !== undefined
  const ranges = narrowsSources ? rangesOf(sourcesThatFit(database, filter)) : everything(database)
  const terms: string[] = []
  const checks: ((row: FilteredRow) => boolean)[] = []
  if (explainer !== undefined) {
    const number = numberOf(database, 'explainers', explainer)
    if (number === null) return { ranges: [], terms, fits: null }
    terms.push(explainerTerm(number))
    checks.push(row => row.explainer === number)
  }
  if (type !== undefined) {
    const number = numberOf(database, 'types', type)
    if (number === null) return { ranges: [], terms, fits: null }
    terms.push(typeTerm(number))
    checks.push(row => row.type === number)
  }
  if (hasStatistics !== undefined || density !== undefined) {
    const find = database.prepare('SELECT density FROM feature_statistics WHERE source = ? AND feature = ?').raw()
    const [least, most] = [density?.from ?? Number.NEGATIVE_INFINITY, density?.to ?? Number.POSITIVE_INFINITY]
    checks.push(row => {
      const found = find.get(row.source, row.feature)
      if (hasStatistics !== undefined && hasStatistics !== (found !== undefined)) return false
      if (density === undefined) return true
      const value = Array.isArray(found) ? found[0] : null
      return typeof value === 'number' && value >= least && value <= most
    })
  }
  return { ranges, terms, fits: checks.length === 0 ? null : row => checks.every(check => check(row)) }
}
