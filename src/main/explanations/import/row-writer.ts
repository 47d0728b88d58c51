/** Writes parsed rows into the mirror: explanations with their terms, statistics and examples of features. */
import type { Database, Statement } from 'better-sqlite3'
import { partsOfLayer } from '../layer-name.ts'
import { firstRow } from '../rowids.ts'
import { TextIndexWriter } from '../search/text-index.ts'
import { KnownRows } from './known-rows.ts'
import type { ParsedBatch, ParsedExamples, ParsedExplanation, ParsedFeature } from './parsed-batch.ts'

/** Numbers of names that many rows share. */
class Names {
  readonly #known = new Map<string, number>()
  readonly #find: Statement<[string]>
  readonly #add: Statement<[string]>

  constructor(database: Database, table: 'explainers' | 'types' | 'authors') {
    this.#find = database.prepare<[string]>(`SELECT id FROM ${table} WHERE name = ?`).pluck()
    this.#add = database.prepare<[string]>(`INSERT OR IGNORE INTO ${table} (name) VALUES (?)`)
  }

  number(name: string | null): number | null {
    if (name === null) return null
    const known = this.#known.get(name)
    if (known !== undefined) return known
    this.#add.run(name)
    const id = Number(this.#find.get(name))
    this.#known.set(name, id)
    return id
  }

  forget(): void {
    this.#known.clear()
  }
}

/** What became of rows. */
export interface Written {
  readonly added: number
  readonly known: number
}

export class RowWriter {
  readonly #database: Database
  readonly #explainers: Names
  readonly #types: Names
  readonly #authors: Names
  readonly #index: TextIndexWriter
  readonly #known: KnownRows
  readonly #sources = new Map<string, number>()
  readonly #nextRows = new Map<number, number>()
  readonly #statements
  #dataVersion: unknown = null
  /** Sources that rows were written to; their summaries no longer hold. */
  readonly touched = new Set<number>()

  constructor(database: Database) {
    this.#database = database
    this.#explainers = new Names(database, 'explainers')
    this.#types = new Names(database, 'types')
    this.#authors = new Names(database, 'authors')
    this.#index = new TextIndexWriter(database)
    this.#known = new KnownRows(database)
    this.#statements = {
      findSource: database.prepare<[string, string]>('SELECT id FROM sources WHERE model = ? AND layer = ?').pluck(),
      addSource: database.prepare<[string, string, number | null, string]>(
        'INSERT OR IGNORE INTO sources (model, layer, layer_number, release) VALUES (?, ?, ?, ?)'
      ),
      lastRow: database
        .prepare<[number, number]>('SELECT max(rowid) FROM explanations WHERE rowid >= CAST(? AS INTEGER) AND rowid < CAST(? AS INTEGER)')
        .pluck(),
      addExplanation: database.prepare(
        'INSERT INTO explanations (rowid, source, feature, explainer, type, author, external_id, description) VALUES (?, ?, ?, ?, ?, ?, ?, ?)'
      ),
      dropSummary: database.prepare<[number]>('DELETE FROM source_summaries WHERE source = ?'),
      adopt: database.prepare<[string, number]>('UPDATE explanations SET external_id = ? WHERE rowid = CAST(? AS INTEGER)'),
      addStatistics: database.prepare(
        `INSERT INTO feature_statistics (source, feature, max_activation, density, details) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET max_activation = excluded.max_activation, density = excluded.density, details = excluded.details
         WHERE details != excluded.details OR max_activation IS NOT excluded.max_activation OR density IS NOT excluded.density`
      ),
      addExamples: database.prepare(
        `INSERT INTO feature_examples (source, feature, part, examples) VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET examples = excluded.examples WHERE examples != excluded.examples`
      )
    }
  }

  /** To be called in each transaction before its first row: another process may have written since the last one. */
  start(): void {
    const version = this.#database.pragma('data_version', { simple: true })
    if (version !== this.#dataVersion) this.forget()
    this.#dataVersion = version
  }

  /** After a transaction that was rolled back. */
  forget(): void {
    this.#sources.clear()
    this.touched.clear()
    this.#nextRows.clear()
    this.#known.forget()
    this.#index.forget()
    for (const names of [this.#explainers, this.#types, this.#authors]) names.forget()
  }

  /** The number of a source, which is made where it is not there. */
  source(model: string, layer: string): number {
    const key = `${model}/${layer}`
    const known = this.#sources.get(key)
    if (known !== undefined) return known
    const { layerNumber, release } = partsOfLayer(layer)
    this.#statements.addSource.run(model, layer, layerNumber, release)
    const id = Number(this.#statements.findSource.get(model, layer))
    this.#sources.set(key, id)
    return id
  }

  /**
   * Writes batches, inside a transaction, and says what became of each one's rows. Explanations come last: a statement that may
   * undo itself, such as an upsert, would make the text index write its pending terms to disk each time.
   */
  write(batches: readonly ParsedBatch[]): Written[] {
    const counts = batches.map(() => ({ added: 0, known: 0 }))
    const sources = batches.map(batch => batch.sources.map(({ model, layer }) => this.source(model, layer)))
    for (const source of new Set(sources.flat())) this.#touch(source)
    const each = <Row extends { source: number }>(
      rowsOf: (batch: ParsedBatch) => readonly Row[],
      write: (source: number, row: Row) => boolean
    ) => {
      for (const [at, batch] of batches.entries()) {
        const count = counts[at]
        for (const row of rowsOf(batch)) {
          const rows = 'rows' in row && typeof row.rows === 'number' ? row.rows : 1
          const isNew = write(sources[at]?.[row.source] ?? 0, row)
          if (count !== undefined) count[isNew ? 'added' : 'known'] += rows
        }
      }
    }
    each(
      batch => batch.features,
      (source, row) => this.#addFeature(source, row)
    )
    each(
      batch => batch.examples,
      (source, row) => this.#addExamples(source, row)
    )
    each(
      batch => batch.explanations,
      (source, row) => this.#addExplanation(source, row)
    )
    return counts
  }

  #touch(source: number): void {
    if (this.touched.has(source)) return
    this.#statements.dropSummary.run(source)
    this.touched.add(source)
  }

  #nextRow(source: number): number {
    const first = firstRow(source)
    const last = this.#nextRows.get(source) ?? Number(this.#statements.lastRow.get(first, firstRow(source + 1)) ?? first - 1)
    this.#nextRows.set(source, last + 1)
    return last + 1
  }

  #addExplanation(source: number, { feature, description, id, ...names }: ParsedExplanation): boolean {
    const explainer = this.#explainers.number(names.explainer)
    const identity = { id, feature, explainer, description }
    const verdict = this.#known.judge(source, identity)
    if (verdict.kind === 'known') return false
    if (verdict.kind === 'adopt') {
      this.#statements.adopt.run(id ?? '', verdict.row)
      this.#known.adopted(source, id ?? '', verdict.row)
      return false
    }
    const type = this.#types.number(names.type)
    const row = this.#nextRow(source)
    this.#statements.addExplanation.run(row, source, feature, explainer, type, this.#authors.number(names.author), id, description)
    this.#index.add(row, { description, explainer, type })
    this.#known.added(source, identity, row)
    return true
  }

  #addFeature(source: number, { feature, maxActivation, density, details, examples }: ParsedFeature): boolean {
    const statistics = this.#statements.addStatistics.run(source, feature, maxActivation, density, details)
    const changes = examples === null ? 0 : this.#statements.addExamples.run(source, feature, 0, examples).changes
    return statistics.changes + changes > 0
  }

  #addExamples(source: number, { feature, part, examples }: ParsedExamples): boolean {
    return this.#statements.addExamples.run(source, feature, part, examples).changes > 0
  }
}
