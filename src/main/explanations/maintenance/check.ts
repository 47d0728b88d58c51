/** Checks that the mirror is whole: the file's structure, its tables, and that the index knows every explanation and nothing else. */
import Sqlite, { type Database, type Statement } from 'better-sqlite3'
import { z } from 'zod'
import type { CheckResult } from '../../../contract/mirror.ts'
import { firstRow, sourceOfRow } from '../rowids.ts'
import { explainerTerm, TermWriter } from '../search/index-terms.ts'
import { bytesOf } from './backup.ts'
import { type JobControl, throwIfCancelled } from './job.ts'
import { pendingRemovals } from './removal.ts'

/** Rows that are compared with the index between two looks at whether to go on. */
const rowsAtOnce = 20_000
/** Texts of which every term is looked up, evenly over all rows. */
const sampledTexts = 500
/** Problems that are told. */
const mostProblems = 20

const storedRow = z.object({ row: z.number(), source: z.number(), explainer: z.number().nullable() })
const storedText = z.object({ row: z.number(), description: z.string() })

class Check {
  readonly #database: Database
  readonly #control: JobControl
  readonly #stored: Statement
  readonly #indexed: Statement
  readonly problems: string[] = []
  explanations = 0

  constructor(database: Database, control: JobControl) {
    this.#database = database
    this.#control = control
    this.#stored = database.prepare(
      'SELECT rowid AS row, source, explainer FROM explanations WHERE rowid >= CAST(? AS INTEGER) ORDER BY rowid LIMIT ?'
    )
    this.#indexed = database
      .prepare(
        'SELECT rowid FROM text_index WHERE text_index MATCH ? AND rowid >= CAST(? AS INTEGER) AND rowid < CAST(? AS INTEGER) ORDER BY rowid'
      )
      .pluck()
  }

  #add(problem: string): void {
    if (this.problems.length < mostProblems && !this.problems.includes(problem)) this.problems.push(problem)
  }

  #goOn(step: string, fraction: number): void {
    throwIfCancelled(this.#control, 'check', 'nothing was changed')
    this.#control.onProgress({ stage: step, fraction })
  }

  /** Does a step of the check; what is too broken to be read is a problem. */
  attempt(step: () => void): void {
    try {
      step()
    } catch (thrown) {
      if (!(thrown instanceof Sqlite.SqliteError) || !/^SQLITE_(CORRUPT|NOTADB|ERROR|IOERR)/.test(thrown.code)) throw thrown
      this.#add(`the file cannot be read: ${thrown.message}`)
    }
  }

  /** Pages, rows and indexes of every table, as SQLite checks them. */
  tables(from: number, to: number): void {
    const tables = this.#database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name")
      .pluck()
      .all()
      .map(String)
    for (const [at, table] of tables.entries()) {
      this.#goOn(`checking the pages of ${table}`, from + ((to - from) * at) / tables.length)
      const found = z.array(z.object({ integrity_check: z.string() })).parse(this.#database.pragma(`integrity_check("${table}")`))
      for (const { integrity_check: line } of found) if (line !== 'ok') this.#add(`${table}: ${line}`)
    }
  }

  /** The indexes' own structure. */
  indexes(from: number, to: number): void {
    for (const [at, index] of (['text_index', 'run_grams'] as const).entries()) {
      this.#goOn(`checking ${index}`, from + ((to - from) * at) / 2)
      try {
        this.#database.exec(`INSERT INTO ${index} (${index}) VALUES ('integrity-check')`)
      } catch (thrown) {
        this.#add(`${index}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
      }
    }
  }

  /** Every explanation is in the index once, under its explainer, and the index has no others. */
  rows(from: number, to: number): void {
    const lastSource = Number(
      this.#database
        .prepare('SELECT max(ifnull((SELECT max(id) FROM sources), 0), ifnull((SELECT max(source) FROM removals), 0))')
        .pluck()
        .get()
    )
    for (let start = 0; start < Number.MAX_SAFE_INTEGER; ) {
      this.#goOn('comparing rows with the index', from + (to - from) * Math.min(1, sourceOfRow(start) / (lastSource + 1)))
      // One transaction: others may write meanwhile.
      start = this.#database.transaction(() => this.#compareFrom(start))()
    }
  }

  /** Compares rows from one on with the index; gives the first row after them. */
  #compareFrom(start: number): number {
    const sources = new Set(this.#database.prepare('SELECT id FROM sources UNION SELECT source FROM removals').pluck().all().map(Number))
    const explainers = [0, ...this.#database.prepare('SELECT id FROM explainers').pluck().all().map(Number)]
    const rows = this.#stored.all(start, rowsAtOnce).map(raw => storedRow.parse(raw))
    const last = rows.at(-1)
    const next = rows.length < rowsAtOnce || last === undefined ? Number.MAX_SAFE_INTEGER : last.row + 1
    const wanted = new Map(explainers.map(explainer => [explainer, [] as number[]]))
    for (const { row, source, explainer } of rows) {
      if (source !== sourceOfRow(row)) this.#add(`explanation ${row} stands among those of source ${sourceOfRow(row)}, but is of ${source}`)
      else if (!sources.has(source)) this.#add(`explanation ${row} is of source ${source}, which is not there`)
      wanted.get(explainer ?? 0)?.push(row)
    }
    for (const [explainer, expected] of wanted) {
      this.#compare(expected, this.#indexed.all(`"${explainerTerm(explainer)}"`, start, next).map(Number))
    }
    this.explanations += rows.length
    return next
  }

  #compare(expected: readonly number[], found: readonly number[]): void {
    if (expected.length === found.length && expected.every((row, at) => row === found[at])) return
    const [stored, indexed] = [new Set(expected), new Set(found)]
    const missing = expected.filter(row => !indexed.has(row))
    const surplus = found.filter(row => !stored.has(row))
    if (missing.length > 0) this.#add(`${missing.length} explanations from ${missing[0]} on are not in the index`)
    if (surplus.length > 0) this.#add(`the index has ${surplus.length} rows from ${surplus[0]} on that are no explanations`)
    if (missing.length === 0 && surplus.length === 0) this.#add(`the index has explanations near ${expected[0]} twice`)
  }

  /** Some texts, with every term they should have in the index, and every run of them in the vocabulary. */
  samples(from: number, to: number): void {
    const some = this.#database.prepare(
      'SELECT rowid AS row, description FROM explanations WHERE rowid >= CAST(? AS INTEGER) ORDER BY rowid LIMIT 1'
    )
    const has = this.#database.prepare('SELECT 1 FROM text_index WHERE text_index MATCH ? AND rowid = CAST(? AS INTEGER)').pluck()
    const hasRun = this.#database.prepare('SELECT 1 FROM runs WHERE run = ?').pluck()
    const ranges = this.#ranges()
    const all = ranges.reduce((sum, { rows }) => sum + rows, 0)
    const samples = Math.min(all, sampledTexts)
    for (let sample = 0; sample < samples; sample++) {
      if (sample % 50 === 0) this.#goOn('looking up texts', from + ((to - from) * sample) / samples)
      let place = Math.floor((sample * all) / samples)
      const range = ranges.find(({ rows }) => {
        if (place < rows) return true
        place -= rows
        return false
      })
      const raw = some.get((range?.first ?? 0) + place)
      if (raw === undefined) continue
      const { row, description } = storedText.parse(raw)
      const terms = new TermWriter()
      const expression = terms
        .termsOf(description)
        .split(' ')
        .map(term => `"${term}"`)
        .join(' AND ')
      if (has.get(expression, row) === undefined) this.#add(`the index knows explanation ${row} only in part`)
      for (const run of terms.takeNewRuns()) if (hasRun.get(run) === undefined) this.#add(`the vocabulary lacks ${JSON.stringify(run)}`)
    }
  }

  #ranges(): { first: number; rows: number }[] {
    const last = this.#database
      .prepare<[number, number]>('SELECT max(rowid) FROM explanations WHERE rowid >= CAST(? AS INTEGER) AND rowid < CAST(? AS INTEGER)')
      .pluck()
    const ids = this.#database.prepare('SELECT id FROM sources ORDER BY id').pluck().all().map(Number)
    return ids.flatMap(id => {
      const end = last.get(firstRow(id), firstRow(id + 1))
      return typeof end === 'number' ? [{ first: firstRow(id), rows: end - firstRow(id) + 1 }] : []
    })
  }
}

/** Throws `mirror/cancelled`. Whatever else it meets is a problem of the result. */
export function checkMirror(database: Database, control: JobControl): CheckResult {
  const started = performance.now()
  const check = new Check(database, control)
  check.attempt(() => check.tables(0, 0.5))
  check.attempt(() => check.indexes(0.5, 0.7))
  check.attempt(() => check.rows(0.7, 0.95))
  check.attempt(() => check.samples(0.95, 1))
  const pending = pendingRemovals(database)
  if (check.problems.length === 0 && pending.size > 0) {
    control.onProgress({ stage: `still to be taken out: ${[...pending.values()].join(', ')}`, fraction: 1 })
  }
  return {
    problems: check.problems,
    explanations: check.explanations,
    sources: Number(database.prepare('SELECT count(*) FROM sources').pluck().get()),
    bytes: bytesOf(database),
    seconds: (performance.now() - started) / 1000
  }
}
