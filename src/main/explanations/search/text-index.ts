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
  readonly #terms: TermWriter
  readonly #add: Statement<[number, string]>
  readonly #remove: Statement<[number, string]>

  constructor(database: Database) {
    const vocabulary = new VocabularyWriter(database)
    this.#terms = new TermWriter(run => vocabulary.add(run))
    this.#add = database.prepare<[number, string]>('INSERT INTO text_index (rowid, terms) VALUES (?, ?)')
    this.#remove = database.prepare<[number, string]>("INSERT INTO text_index (text_index, rowid, terms) VALUES ('delete', ?, ?)")
  }

  #termsOf({ description, explainer, type }: IndexedText): string {
    return `${this.#terms.termsOf(description)} ${explainerTerm(explainer ?? 0)} ${typeTerm(type ?? 0)}`
  }

  add(row: number, text: IndexedText): void {
    this.#add.run(row, this.#termsOf(text))
  }

  /** Takes a row out; the text must be the one that was added. */
  remove(row: number, text: IndexedText): void {
    this.#remove.run(row, this.#termsOf(text))
  }

  /** After a transaction that was rolled back: runs it added are unknown again. */
  forget(): void {
    this.#terms.forget()
  }
}

/** Indexes all explanations of a mirror whose index is empty. */
export function indexStoredTexts(database: Database): void {
  const writer = new TextIndexWriter(database)
  const rows = database.prepare<[number], IndexedText & { rowid: number }>(
    'SELECT rowid, description, explainer, type FROM explanations WHERE rowid > ? ORDER BY rowid LIMIT 5000'
  )
  for (let last = -1; ; ) {
    const batch = rows.all(last)
    for (const { rowid, ...text } of batch) writer.add(rowid, text)
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
