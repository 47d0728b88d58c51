/** Writes files of explanations into the mirror, in batches that are there whole or not at all. Rows it has already are skipped. */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { deflateSync } from 'node:zlib'
import type { Database, Statement } from 'better-sqlite3'
import { SpliceError } from '../../contract/errors.ts'
import type { ImportSummary } from '../../contract/explanations.ts'
import { firstRow } from './database.ts'
import { type ExplanationRow, type FeatureRow, type RecognisedRow, recogniseRow } from './rows.ts'
import { listFiles, rowsOfFile } from './source-files.ts'

const rowsPerBatch = 2000

export interface ImportOptions {
  onProgress(progress: { file: string; rows: number; fraction: number }): void
  isCancelled(): boolean
}

/** Numbers of names that many rows share. */
class Names {
  readonly #known = new Map<string, number>()
  readonly #find: Statement<[string]>
  readonly #add: Statement<[string]>

  constructor(database: Database, table: 'explainers' | 'types') {
    this.#find = database.prepare<[string]>(`SELECT id FROM ${table} WHERE name = ?`).pluck()
    this.#add = database.prepare<[string]>(`INSERT OR IGNORE INTO ${table} (name) VALUES (?)`)
  }

  number(name: string | null | undefined): number | null {
    if (name === null || name === undefined) return null
    const known = this.#known.get(name)
    if (known !== undefined) return known
    this.#add.run(name)
    const id = Number(this.#find.get(name))
    this.#known.set(name, id)
    return id
  }

  /** After a batch that was rolled back, numbers may be gone. */
  forget(): void {
    this.#known.clear()
  }
}

class Writer {
  readonly #explainers: Names
  readonly #types: Names
  readonly #sources = new Map<string, number>()
  readonly #nextRows = new Map<number, number>()
  readonly #statements

  constructor(database: Database) {
    this.#explainers = new Names(database, 'explainers')
    this.#types = new Names(database, 'types')
    this.#statements = {
      findSource: database.prepare<[string, string]>('SELECT id FROM sources WHERE model = ? AND layer = ?').pluck(),
      addSource: database.prepare<[string, string]>('INSERT OR IGNORE INTO sources (model, layer) VALUES (?, ?)'),
      lastRow: database.prepare<[number, number]>('SELECT max(rowid) FROM explanations WHERE rowid >= ? AND rowid < ?').pluck(),
      isKnown: database.prepare<[Buffer]>('SELECT 1 FROM explanations WHERE identity = ?').pluck(),
      addExplanation: database.prepare(
        'INSERT INTO explanations (rowid, source, feature, description, explainer, type, author, external_id, identity) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)'
      ),
      indexSubstrings: database.prepare<[number, string]>('INSERT INTO substring_index (rowid, text) VALUES (?, ?)'),
      indexWords: database.prepare<[number, string]>('INSERT INTO word_index (rowid, text) VALUES (?, ?)'),
      addStatistics: database.prepare(
        `INSERT INTO feature_statistics (source, feature, max_activation, density, details) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET max_activation = excluded.max_activation, density = excluded.density, details = excluded.details
         WHERE details != excluded.details OR max_activation IS NOT excluded.max_activation OR density IS NOT excluded.density`
      ),
      addExamples: database.prepare(
        `INSERT INTO feature_examples (source, feature, examples) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET examples = excluded.examples WHERE examples != excluded.examples`
      )
    }
  }

  /** Another process may have written since the last batch. */
  startBatch(): void {
    this.#nextRows.clear()
  }

  rolledBack(): void {
    this.#sources.clear()
    this.#nextRows.clear()
    this.#explainers.forget()
    this.#types.forget()
  }

  #source(model: string, layer: string): number {
    const key = `${model}/${layer}`
    const known = this.#sources.get(key)
    if (known !== undefined) return known
    this.#statements.addSource.run(model, layer)
    const id = Number(this.#statements.findSource.get(model, layer))
    this.#sources.set(key, id)
    return id
  }

  #nextRow(source: number): number {
    const first = firstRow(source)
    const last = this.#nextRows.get(source) ?? Number(this.#statements.lastRow.get(first, firstRow(source + 1)) ?? first - 1)
    this.#nextRows.set(source, last + 1)
    return last + 1
  }

  /** False where the row is there already. */
  add(recognised: Exclude<RecognisedRow, { kind: 'rejected' }>): boolean {
    return recognised.kind === 'explanation' ? this.#addExplanation(recognised.row) : this.#addFeature(recognised.row)
  }

  #addExplanation(row: ExplanationRow): boolean {
    const identity = identityOf(row)
    if (this.#statements.isKnown.get(identity) !== undefined) return false
    const source = this.#source(row.modelId, row.layer)
    const rowid = this.#nextRow(source)
    const explainer = this.#explainers.number(row.explanationModelName)
    const type = this.#types.number(row.typeName)
    this.#statements.addExplanation.run(
      rowid,
      source,
      row.index,
      row.description,
      explainer,
      type,
      row.authorId ?? null,
      row.id ?? null,
      identity
    )
    this.#statements.indexSubstrings.run(rowid, row.description.toUpperCase())
    this.#statements.indexWords.run(rowid, row.description)
    return true
  }

  #addFeature(row: FeatureRow): boolean {
    const source = this.#source(row.modelId, row.layer)
    const pair = <A, B>(a: readonly A[], b: readonly B[]) => a.slice(0, b.length).map((value, place) => [value, b[place]])
    const details = {
      histogram: pair(row.freq_hist_data_bar_values, row.freq_hist_data_bar_heights),
      top: pair(row.pos_str, row.pos_values),
      bottom: pair(row.neg_str, row.neg_values)
    }
    const pack = (value: unknown) => deflateSync(JSON.stringify(value))
    const statistics = this.#statements.addStatistics.run(
      source,
      row.index,
      row.maxActApprox ?? null,
      row.frac_nonzero ?? null,
      pack(details)
    )
    const examples =
      row.activations.length === 0 ? { changes: 0 } : this.#statements.addExamples.run(source, row.index, pack(row.activations))
    return statistics.changes + examples.changes > 0
  }
}

/** What makes an explanation the same one: its id, or else source, feature, text and explainer. */
function identityOf(row: ExplanationRow): Buffer {
  const parts = row.id == null ? [row.modelId, row.layer, row.index, row.description, row.explanationModelName ?? null] : [row.id]
  return createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16)
}

/** Rows that could not be imported, kept beside the mirror with file, line and reason. */
class Rejects {
  readonly #file: string
  count = 0

  constructor(file: string) {
    this.#file = file
  }

  add(file: string, line: number, reason: string): void {
    this.count += 1
    fs.appendFileSync(this.#file, `${JSON.stringify({ file, line, reason })}\n`)
  }

  get file(): string | null {
    return this.count === 0 ? null : this.#file
  }
}

/**
 * Imports files and folders. Throws `import/...` for paths that hold nothing importable, `import/cancelled` when it was
 * cancelled (batches written before stay), and SQLite's own errors.
 */
export async function importFiles(
  database: Database,
  databaseFile: string,
  paths: readonly string[],
  options: ImportOptions
): Promise<{ result: ImportSummary; rejectsFile: string | null }> {
  const started = performance.now()
  const files = listFiles(paths)
  const writer = new Writer(database)
  const rejects = new Rejects(`${databaseFile}.rejects-${new Date().toISOString().replaceAll(':', '-')}.jsonl`)
  let imported = 0
  let skipped = 0
  let batch: Exclude<RecognisedRow, { kind: 'rejected' }>[] = []

  const write = database.transaction((rows: typeof batch) => {
    writer.startBatch()
    let added = 0
    for (const row of rows) if (writer.add(row)) added += 1
    return added
  })
  const flush = () => {
    const rows = batch
    batch = []
    try {
      const added = write.immediate(rows)
      imported += added
      skipped += rows.length - added
    } catch (thrown) {
      writer.rolledBack()
      throw thrown
    }
  }

  for (const [place, file] of files.entries()) {
    for await (const { line, value, problem, fraction } of rowsOfFile(file)) {
      const recognised: RecognisedRow = problem === null ? recogniseRow(value) : { kind: 'rejected', reason: problem }
      if (recognised.kind === 'rejected') rejects.add(file, line, recognised.reason)
      else batch.push(recognised)
      if (batch.length < rowsPerBatch) continue
      if (options.isCancelled()) throw new SpliceError('import/cancelled', `the import was cancelled; ${imported} rows are in the mirror`)
      flush()
      options.onProgress({ file, rows: imported + skipped + rejects.count, fraction: (place + fraction) / files.length })
    }
    if (options.isCancelled()) throw new SpliceError('import/cancelled', `the import was cancelled; ${imported} rows are in the mirror`)
    flush()
    options.onProgress({ file, rows: imported + skipped + rejects.count, fraction: (place + 1) / files.length })
  }
  const seconds = (performance.now() - started) / 1000
  return { result: { imported, skipped, rejected: rejects.count, seconds }, rejectsFile: rejects.file }
}
