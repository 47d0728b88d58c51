/** The notebook: lists of features, notes on features, saved and recent searches. Every change is on the disk when it returns. */
import type { Database } from 'better-sqlite3'
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import type { FeatureKey } from '../../contract/explanations.ts'
import {
  type EntriesRequest,
  type FeatureList,
  type FeatureMarks,
  featureList,
  type KeptQuestion,
  type KeptSearches,
  keptQuestion,
  type NotebookEntry,
  type NotebookFile,
  type NotebookImport
} from '../../contract/notebook.ts'
import { Backups } from '../sqlite/backup.ts'
import { lookThrough, repairDatabase, repairInWords, saysBroken } from '../sqlite/repair.ts'
import { explainNotebookFailure, notebookFile, openNotebookFile } from './database.ts'
import { mergeNotes } from './merge-notes.ts'

/** Recent searches that are kept. */
const recentKept = 100

const keyColumns = { source: z.string(), index: z.number() }
const listedRow = z.object({ ...keyColumns, list: z.number() })
const addedRow = z.object({ ...keyColumns, addedAt: z.number() })
const noteRow = z.object({ ...keyColumns, text: z.string(), changedAt: z.number() })
const searchRow = z.object({ name: z.string().default(''), question: z.string(), at: z.number() })

/** A kept feature without its explanation, which the mirror knows. */
export type StoredEntry = Omit<NotebookEntry, 'explanation'>

const noteColumns = 'source, feature AS "index", text, changed AS changedAt'

export class Notebook {
  readonly #file: string
  readonly #now: () => number
  readonly #changed = new Set<() => void>()
  readonly #onRepair: ((message: string) => void) | undefined
  readonly #backups: Backups
  #opened: Database | null = null

  /**
   * The file is opened when it is first asked for. `onRepair` is for whoever stays open: a backup is kept beside the file, and a broken file
   * is made again from it; it hears in words what was done.
   */
  constructor(file: string, now: () => number = Date.now, onRepair?: (message: string) => void) {
    this.#file = file
    this.#now = now
    this.#onRepair = onRepair
    this.#backups = new Backups(file, notebookFile.applicationId, thrown =>
      onRepair?.(`no backup of ${file} was made: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
    )
  }

  /** Hears of every change, until the function it gives is called. */
  whenChanged(tell: () => void): () => void {
    this.#changed.add(tell)
    return () => this.#changed.delete(tell)
  }

  #read<Result>(work: (database: Database) => Result): Result {
    try {
      return this.#work(work)
    } catch (thrown) {
      throw explainNotebookFailure(this.#file, thrown)
    }
  }

  /** Works on the file, which is made again once where it is broken. */
  #work<Result>(work: (database: Database) => Result): Result {
    try {
      if (this.#opened === null) {
        this.#opened = openNotebookFile(this.#file)
        if (this.#onRepair !== undefined) lookThrough(this.#opened)
      }
      return work(this.#opened)
    } catch (thrown) {
      if (!saysBroken(thrown) || this.#onRepair === undefined) throw thrown
      this.#opened?.close()
      this.#opened = null
      const repair = repairDatabase(this.#file, notebookFile)
      if (repair !== null) this.#onRepair(repairInWords(this.#file, 'notes', repair))
      this.#opened = openNotebookFile(this.#file)
      return work(this.#opened)
    }
  }

  #write<Result>(work: (database: Database) => Result): Result {
    const result = this.#read(database => database.transaction(() => work(database)).immediate())
    if (this.#onRepair !== undefined && this.#opened !== null) this.#backups.afterChange(this.#opened)
    for (const tell of this.#changed) tell()
    return result
  }

  /** All lists, by name. */
  lists(): FeatureList[] {
    return this.#read(database =>
      database
        .prepare(
          `SELECT id, name, changed AS changedAt, (SELECT count(*) FROM listed WHERE list = lists.id) AS features FROM lists
           ORDER BY name COLLATE NOCASE, name`
        )
        .all()
        .map(row => featureList.parse(row))
    )
  }

  #list(id: number): FeatureList {
    const found = this.lists().find(list => list.id === id)
    if (found !== undefined) return found
    throw new SpliceError('notebook/no-list', 'this list is no longer there', {
      hint: 'Another window removed it; look at the lists again.'
    })
  }

  #refuseTaken(database: Database, name: string, id: number | null): void {
    const other = database.prepare('SELECT id FROM lists WHERE name = ?').pluck().get(name)
    if (other === undefined || other === id) return
    throw new SpliceError('notebook/list-exists', `there is a list “${name}” already`, { field: 'name', hint: 'Choose another name.' })
  }

  /** Makes an empty list. Throws `notebook/list-exists`. */
  createList(name: string): FeatureList {
    return this.#write(database => {
      this.#refuseTaken(database, name, null)
      const { lastInsertRowid } = database.prepare('INSERT INTO lists (name, changed) VALUES (?, ?)').run(name, this.#now())
      return this.#list(Number(lastInsertRowid))
    })
  }

  /** Throws `notebook/list-exists`, `notebook/no-list`. */
  renameList(id: number, name: string): FeatureList {
    return this.#write(database => {
      this.#refuseTaken(database, name, id)
      database.prepare('UPDATE lists SET name = ?, changed = ? WHERE id = ?').run(name, this.#now(), id)
      return this.#list(id)
    })
  }

  /** Removes a list; gives what it held, which `importFile` puts back. Notes stay. */
  removeList(id: number): NotebookFile {
    return this.#write(database => {
      const { name } = this.#list(id)
      const features = this.#featuresOf(database, id)
      database.prepare('DELETE FROM lists WHERE id = ?').run(id)
      return { format: 'splice-notebook' as const, version: 1 as const, lists: [{ name, features }], notes: [] }
    })
  }

  #featuresOf(database: Database, list: number): (FeatureKey & { addedAt: number })[] {
    return database
      .prepare('SELECT source, feature AS "index", added AS addedAt FROM listed WHERE list = ? ORDER BY added, source, feature')
      .all(list)
      .map(row => addedRow.parse(row))
  }

  #touch(database: Database, list: number): void {
    database.prepare('UPDATE lists SET changed = ? WHERE id = ?').run(this.#now(), list)
  }

  /** Puts features into a list; those in it stay as they are. */
  addToList(list: number, features: readonly FeatureKey[]): FeatureList {
    return this.#write(database => {
      this.#list(list)
      const add = database.prepare('INSERT OR IGNORE INTO listed (list, source, feature, added) VALUES (?, ?, ?, ?)')
      for (const { source, index } of features) add.run(list, source, index, this.#now())
      this.#touch(database, list)
      return this.#list(list)
    })
  }

  /** Takes features out of a list. */
  removeFromList(list: number, features: readonly FeatureKey[]): FeatureList {
    return this.#write(database => {
      const remove = database.prepare('DELETE FROM listed WHERE list = ? AND source = ? AND feature = ?')
      for (const { source, index } of features) remove.run(list, source, index)
      this.#touch(database, list)
      return this.#list(list)
    })
  }

  /** Writes a feature's note in place of the one before; an empty text removes it. */
  writeNote({ source, index }: FeatureKey, text: string): FeatureMarks {
    const marks = this.#write(database => {
      if (text.trim() === '') database.prepare('DELETE FROM notes WHERE source = ? AND feature = ?').run(source, index)
      else this.#putNote(database, { source, index }, text, this.#now())
      return this.#marks(database, [{ source, index }])
    })
    return marks[0] ?? { source, index, note: null, lists: [] }
  }

  #putNote(database: Database, { source, index }: FeatureKey, text: string, changedAt: number): void {
    database
      .prepare('INSERT OR REPLACE INTO notes (source, feature, text, changed) VALUES (?, ?, ?, ?)')
      .run(source, index, text, changedAt)
  }

  /** What is kept of features; those of which nothing is are left out. */
  marks(features: readonly FeatureKey[]): FeatureMarks[] {
    return this.#read(database => this.#marks(database, features))
  }

  #marks(database: Database, features: readonly FeatureKey[]): FeatureMarks[] {
    const note = database.prepare(`SELECT ${noteColumns} FROM notes WHERE source = ? AND feature = ?`)
    const lists = database.prepare('SELECT list FROM listed WHERE source = ? AND feature = ? ORDER BY list').pluck()
    return features.flatMap(({ source, index }) => {
      const found = note.get(source, index)
      const isIn = lists.all(source, index).map(Number)
      if (found === undefined && isIn.length === 0) return []
      const { text, changedAt } = found === undefined ? { text: '', changedAt: 0 } : noteRow.parse(found)
      return [{ source, index, note: found === undefined ? null : { text, changedAt }, lists: isIn }]
    })
  }

  /** Kept features: of a list in the order in which they came in, else by source and index. */
  entries({ list, query }: EntriesRequest): StoredEntry[] {
    const upper = query.toUpperCase()
    return this.#read(database => {
      const notes = database
        .prepare(`SELECT ${noteColumns} FROM notes`)
        .all()
        .map(row => noteRow.parse(row))
      const listed = database
        .prepare('SELECT source, feature AS "index", list FROM listed ORDER BY list')
        .all()
        .map(row => listedRow.parse(row))
      const kept = new Map<string, StoredEntry>()
      const entryOf = ({ source, index }: FeatureKey) => {
        const key = `${source}/${index}`
        const entry = kept.get(key) ?? { source, index, note: null, lists: [], addedAt: null }
        kept.set(key, entry)
        return entry
      }
      const order = list === undefined ? [] : this.#featuresOf(database, list)
      for (const { addedAt, ...feature } of order) entryOf(feature).addedAt = addedAt
      for (const row of listed) entryOf(row).lists.push(row.list)
      for (const { text, changedAt, ...feature } of notes) entryOf(feature).note = { text, changedAt }
      const entries = [...kept.values()].filter(
        entry =>
          (list === undefined || entry.addedAt !== null) &&
          (upper === '' || `${entry.source}/${entry.index}\n${entry.note?.text ?? ''}`.toUpperCase().includes(upper))
      )
      return list === undefined ? entries.sort(bySource) : entries
    })
  }

  /** Every list and note. */
  exportFile(): NotebookFile {
    return this.#read(database => ({
      format: 'splice-notebook' as const,
      version: 1 as const,
      lists: this.lists().map(({ id, name }) => ({ name, features: this.#featuresOf(database, id) })),
      notes: database
        .prepare(`SELECT ${noteColumns} FROM notes ORDER BY source, feature`)
        .all()
        .map(row => noteRow.parse(row))
    }))
  }

  /** Adds a file's lists and notes to what is there: nothing is replaced, and the same file twice changes nothing. */
  importFile({ lists, notes }: NotebookFile): NotebookImport {
    return this.#write(database => {
      const brought = { lists: 0, features: 0, notes: 0 }
      const find = database.prepare('SELECT id FROM lists WHERE name = ?').pluck()
      const make = database.prepare('INSERT INTO lists (name, changed) VALUES (?, ?)')
      const add = database.prepare('INSERT OR IGNORE INTO listed (list, source, feature, added) VALUES (?, ?, ?, ?)')
      for (const { name, features } of lists) {
        const known = find.get(name)
        if (known === undefined) brought.lists += 1
        const id = known === undefined ? Number(make.run(name, this.#now()).lastInsertRowid) : Number(known)
        for (const { source, index, addedAt } of features) brought.features += add.run(id, source, index, addedAt).changes
      }
      for (const { text, changedAt, ...feature } of notes) {
        if (text.trim() === '') continue
        const [marks] = this.#marks(database, [feature])
        const merged = mergeNotes(marks?.note?.text ?? null, text)
        if (merged === marks?.note?.text) continue
        this.#putNote(database, feature, merged, Math.max(changedAt, marks?.note?.changedAt ?? 0))
        brought.notes += 1
      }
      return brought
    })
  }

  /** Saved and recent searches. */
  searches(): KeptSearches {
    return this.#read(database => {
      const rows = (sql: string) =>
        database
          .prepare(sql)
          .all()
          .map(row => searchRow.parse(row))
          .map(({ name, question, at }) => ({ name, question: keptQuestion.parse(JSON.parse(question)), at }))
      return {
        saved: rows('SELECT name, question, at FROM saved_searches ORDER BY name COLLATE NOCASE, name'),
        recent: rows('SELECT question, at FROM recent_searches ORDER BY at DESC').map(({ question, at }) => ({ question, at }))
      }
    })
  }

  /** Puts a search first among the recent ones. */
  rememberSearch(question: KeptQuestion): void {
    this.#write(database => {
      database.prepare('INSERT OR REPLACE INTO recent_searches (question, at) VALUES (?, ?)').run(textOf(question), this.#now())
      database
        .prepare('DELETE FROM recent_searches WHERE question NOT IN (SELECT question FROM recent_searches ORDER BY at DESC LIMIT ?)')
        .run(recentKept)
    })
  }

  /** Saves a search under a name, in place of what had that name. */
  saveSearch(name: string, question: KeptQuestion): void {
    this.#write(database =>
      database
        .prepare('INSERT OR REPLACE INTO saved_searches (name, question, at) VALUES (?, ?, ?)')
        .run(name, textOf(question), this.#now())
    )
  }

  /** Removes a saved search. */
  removeSearch(name: string): void {
    this.#write(database => database.prepare('DELETE FROM saved_searches WHERE name = ?').run(name))
  }

  /** Forgets the recent searches. */
  forgetSearches(): void {
    this.#write(database => database.prepare('DELETE FROM recent_searches').run())
  }

  async close(): Promise<void> {
    await this.#backups.settled()
    this.#opened?.close()
    this.#opened = null
  }
}

/** A question as text, the same for the same question: what is asked for by name, in one order. */
function textOf(question: KeptQuestion): string {
  return JSON.stringify(keptQuestion.parse(question))
}

function bySource(one: FeatureKey, other: FeatureKey): number {
  return one.source.localeCompare(other.source, 'en', { numeric: true }) || one.index - other.index
}
