/** Opens the notebook's file: `notebook.sqlite` of the home, apart from the mirror, so that what a person keeps is never lost with it. */
import fs from 'node:fs'
import path from 'node:path'
import Sqlite, { type Database } from 'better-sqlite3'
import { SpliceError } from '../../contract/errors.ts'

/** Marks a SQLite file as a notebook of ours ("SPLN"). */
const applicationId = 0x53504c4e
/** How long a writer waits for another one, in ms. */
const lockPatience = 5000

/** Numbered migrations: `user_version` says how many of them a file has had. Never change one that was released. */
const migrations = [
  `CREATE TABLE notes (source TEXT NOT NULL, feature INTEGER NOT NULL, text TEXT NOT NULL, changed REAL NOT NULL, PRIMARY KEY (source, feature)) WITHOUT ROWID;
   CREATE TABLE lists (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, changed REAL NOT NULL);
   CREATE TABLE listed (
     list INTEGER NOT NULL REFERENCES lists ON DELETE CASCADE,
     source TEXT NOT NULL,
     feature INTEGER NOT NULL,
     added REAL NOT NULL,
     PRIMARY KEY (list, source, feature)
   ) WITHOUT ROWID;
   CREATE INDEX listed_feature ON listed (source, feature);
   CREATE TABLE saved_searches (name TEXT PRIMARY KEY, question TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
   CREATE TABLE recent_searches (question TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;`
]

/** A SQLite failure in words; anything else as it is. */
export function explainNotebookFailure(file: string, thrown: unknown): unknown {
  if (!(thrown instanceof Sqlite.SqliteError)) return thrown
  const { code } = thrown
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new SpliceError('notebook/locked', `${file} is being written by another Splice`, { file, hint: 'Try again.', cause: thrown })
  }
  if (code.startsWith('SQLITE_NOTADB') || code.startsWith('SQLITE_CORRUPT')) {
    return new SpliceError('notebook/corrupt', `${file} is not a whole SQLite file`, {
      file,
      hint: 'Put a backup in its place, or move it away and import an exported notebook.',
      cause: thrown
    })
  }
  return new SpliceError('notebook/disk', `${file} cannot be written or read: ${thrown.message}`, {
    file,
    hint: 'Check the disk and the rights of its folder.',
    cause: thrown
  })
}

/** Opens the file, makes it where it is not there, and brings it up to date. Throws `notebook/...` naming it. */
export function openNotebookFile(file: string): Database {
  let database: Database | null = null
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true })
    database = new Sqlite(file, { timeout: lockPatience })
    bringUpToDate(database, file)
    // What a person writes is on the disk when the request is answered.
    database.pragma('synchronous = FULL')
    database.pragma('foreign_keys = ON')
    return database
  } catch (thrown) {
    database?.close()
    throw explainNotebookFailure(file, thrown)
  }
}

function bringUpToDate(database: Database, file: string): void {
  const number = (pragma: string) => Number(database.pragma(pragma, { simple: true }))
  const isEmpty = database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0
  if (number('application_id') !== applicationId && !isEmpty) {
    throw new SpliceError('notebook/foreign', `${file} is a database of another program`, { file, hint: 'Move it away.' })
  }
  if (number('user_version') > migrations.length) {
    throw new SpliceError('notebook/newer', `${file} was written by a newer Splice`, { file, hint: 'Update Splice.' })
  }
  if (number('user_version') === migrations.length) return
  database.pragma('journal_mode = WAL')
  database
    .transaction(() => {
      for (const migration of migrations.slice(number('user_version'))) database.exec(migration)
      database.pragma(`application_id = ${applicationId}`)
      database.pragma(`user_version = ${migrations.length}`)
    })
    .immediate()
}
