/** Writes the text index: the terms of each explanation, and the vocabulary of runs they come from. */
import type { Database, Statement } from 'better-sqlite3'
import { explainerTerm, TermWriter, typeTerm } from './index-terms.ts'
import { VocabularyWriter } from './vocabulary.ts'

/** An explanation as the index sees it; `explainer` and `type` are their numbers in the mirror. */
export interface IndexedText {
  readonly description: string
  readonly explainer: number | null
  readonly type: number | null
}

export class TextIndexWriter {
  readonly #vocabulary: VocabularyWriter
  readonly #add: Statement<[number, string]>
  readonly #remove: Statement<[number, string]>

  constructor(database: Database) {
    this.#vocabulary = new VocabularyWriter(database)
    this.#add = database.prepare<[number, string]>('INSERT INTO text_index (rowid, terms) VALUES (?, ?)')
    this.#remove = database.prepare<[number, string]>("INSERT INTO text_index (text_index, rowid, terms) VALUES ('delete', ?, ?)")
  }

  /** `terms` are the text's, by a `TermWriter` whose new runs are added too. */
  add(row: number, terms: string, { explainer, type }: Pick<IndexedText, 'explainer' | 'type'>): void {
    this.#add.run(row, withNames(terms, explainer, type))
  }

  addRuns(runs: readonly string[]): void {
    for (const run of runs) this.#vocabulary.add(run)
  }

  /** Takes a row out; `terms` must be the ones that were added. Runs stay in the vocabulary. */
  remove(row: number, terms: string, { explainer, type }: Pick<IndexedText, 'explainer' | 'type'>): void {
    this.#remove.run(row, withNames(terms, explainer, type))
  }
}

function withNames(terms: string, explainer: number | null, type: number | null): string {
  return `${terms} ${explainerTerm(explainer ?? 0)} ${typeTerm(type ?? 0)}`
}

/** Indexes all explanations of a mirror whose index is empty. */
export function indexStoredTexts(database: Database): void {
  const writer = new TextIndexWriter(database)
  const terms = new TermWriter()
  const rows = database.prepare<[number], IndexedText & { rowid: number }>(
    'SELECT rowid, description, explainer, type FROM explanations WHERE rowid > ? ORDER BY rowid LIMIT 5000'
  )
  for (let last = -1; ; ) {
    const batch = rows.all(last)
    for (const { rowid, description, ...names } of batch) writer.add(rowid, terms.termsOf(description), names)
    writer.addRuns(terms.takeNewRuns())
    const end = batch.at(-1)
    if (end === undefined) return
    last = end.rowid
  }
}

/** Merges small pieces of the index, a little at a time, until they are few. */
export function settleIndex(database: Database): void {
  const merge = database.prepare("INSERT INTO text_index (text_index, rank) VALUES ('merge', 500)")
  for (let before = -1; database.prepare('SELECT total_changes()').pluck().get() !== before; ) {
    before = Number(database.prepare('SELECT total_changes()').pluck().get())
    merge.run()
    if (Number(database.prepare('SELECT total_changes()').pluck().get()) - before < 2) return
  }
}
