/** Writes parsed rows into the mirror: explanations with their terms, statistics and examples of features. */
import type { Database, Statement } from 'better-sqlite3'
import { partsOfLayer } from '../layer-name.ts'
import { firstRow } from '../rowids.ts'
import { TextIndexWriter } from '../search/text-index.ts'
import { KnownRows } from './known-rows.ts'
import type { ExplanationColumns, ParsedBatch, ParsedExamples, ParsedFeature } from './parsed-batch.ts'

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

/** What became of rows; `embeddings` are those that were added, also to rows that were known. */
export interface Written {
  added: number
  known: number
  embeddings: number
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
  readonly #touched = new Set<number>()

  constructor(database: Database) {
    this.#database = database
    this.#explainers = new Names(database, 'explainers')
    this.#types = new Names(database, 'types')
    this.#authors = new Names(database, 'authors')
    this.#index = new TextIndexWriter(database)
    this.#known = new KnownRows(database)
    this.#statements = {
      findSource: database.prepare<[string, string]>('SELECT id FROM sources WHERE model = ? AND layer = ?').pluck(),
      // The number of a source that is being removed is not free before its rows are gone.
      addSource: database.prepare<[string, string, number | null, string]>(
        `INSERT INTO sources (id, model, layer, layer_number, release)
         VALUES (1 + max((SELECT ifnull(max(id), 0) FROM sources), (SELECT ifnull(max(source), 0) FROM removals)), ?, ?, ?, ?)`
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
      ),
      addEmbedding: database.prepare<[number, Uint8Array]>('INSERT OR IGNORE INTO embeddings (row, vector) VALUES (?, ?)')
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
    this.#touched.clear()
    this.#nextRows.clear()
    this.#known.forget()
    for (const names of [this.#explainers, this.#types, this.#authors]) names.forget()
  }

  /** The number of a source, which is made where it is not there. */
  source(model: string, layer: string): number {
    const key = `${model}/${layer}`
    const known = this.#sources.get(key)
    if (known !== undefined) return known
    const id = this.#statements.findSource.get(model, layer) ?? this.#makeSource(model, layer)
    this.#sources.set(key, Number(id))
    return Number(id)
  }

  #makeSource(model: string, layer: string): number | bigint {
    const { layerNumber, release } = partsOfLayer(layer)
    return this.#statements.addSource.run(model, layer, layerNumber, release).lastInsertRowid
  }

  /**
   * Writes batches, inside a transaction, and says what became of each one's rows. Explanations come last: a statement that may
   * undo itself, such as an upsert, would make the text index write its pending terms to disk each time.
   */
  write(batches: readonly ParsedBatch[]): Written[] {
    const placed = batches.map(batch => {
      const sources = batch.sources.map(({ model, layer }) => this.source(model, layer))
      for (const source of sources) this.#touch(source)
      return { batch, sources, written: { added: 0, known: 0, embeddings: 0 } }
    })
    for (const { batch, sources, written } of placed) {
      const count = (isNew: boolean, rows: number) => {
        written[isNew ? 'added' : 'known'] += rows
      }
      for (const row of batch.features) count(this.#addFeature(sources[row.source] ?? 0, row), 1)
      for (const row of batch.examples) count(this.#addExamples(sources[row.source] ?? 0, row), row.rows)
    }
    for (const { batch, sources, written } of placed) {
      this.#index.addRuns(batch.runs)
      this.#addExplanations(sources, batch.explanations, written)
    }
    return placed.map(({ written }) => written)
  }

  /** Says that summaries of sources were written: the next row drops them again. */
  counted(sources: Iterable<number>): void {
    for (const source of sources) this.#touched.delete(source)
  }

  #touch(source: number): void {
    if (this.#touched.has(source)) return
    this.#statements.dropSummary.run(source)
    this.#touched.add(source)
  }

  #nextRow(source: number): number {
    const first = firstRow(source)
    const last = this.#nextRows.get(source) ?? Number(this.#statements.lastRow.get(first, firstRow(source + 1)) ?? first - 1)
    this.#nextRows.set(source, last + 1)
    return last + 1
  }

  #addExplanations(sources: readonly number[], rows: ExplanationColumns, written: Written): void {
    const numbersOf = (names: Names) => {
      const numbers: (number | null | undefined)[] = [null]
      return (place: number): number | null => {
        const known = numbers[place]
        if (known !== undefined) return known
        const number = names.number(rows.names[place - 1] ?? null)
        numbers[place] = number
        return number
      }
    }
    const [explainers, types, authors] = [numbersOf(this.#explainers), numbersOf(this.#types), numbersOf(this.#authors)]
    for (let at = 0; at < rows.length; at++) {
      const source = sources[rows.source[at] ?? 0] ?? 0
      const id = rows.id[at] ?? null
      const description = rows.description[at] ?? ''
      const feature = rows.feature[at] ?? 0
      const explainer = explainers(rows.explainer[at] ?? 0)
      const identity = { id, feature, explainer, description }
      const verdict = this.#known.judge(source, identity)
      let row: number
      if (verdict.kind === 'new') {
        row = this.#nextRow(source)
        const type = types(rows.type[at] ?? 0)
        const author = authors(rows.author[at] ?? 0)
        this.#statements.addExplanation.run(row, source, feature, explainer, type, author, id, description)
        this.#index.add(row, rows.terms[at] ?? '', { explainer, type })
        this.#known.added(source, identity, row)
        written.added += 1
      } else {
        row = verdict.row
        if (verdict.kind === 'adopt') {
          this.#statements.adopt.run(id ?? '', row)
          this.#known.adopted(source, id ?? '', row)
        }
        written.known += 1
      }
      const vector = rows.embedding?.[at] ?? null
      if (vector !== null) written.embeddings += this.#statements.addEmbedding.run(row, vector).changes
    }
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
