/** Opens the notebook's file: `notebook.sqlite` of the home, apart from the mirror, so that what a person keeps is never lost with it. */
import type { Database } from 'better-sqlite3'
import { type DatabaseKind, explainFailure, openDatabase } from '../sqlite/database.ts'

/** Never change one that was released. */
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

export const notebookFile: DatabaseKind = {
  area: 'notebook',
  // "SPLN"
  applicationId: 0x53504c4e,
  migrations: migrations.map(sql => (database: Database) => database.exec(sql)),
  givesBack: false,
  whenLocked: 'Try again.',
  whenCorrupt: 'Put a backup in its place, or move it away and import an exported notebook.',
  elsewhere: 'Move it away.'
}

/** A SQLite failure in words; anything else as it is. */
export function explainNotebookFailure(file: string, thrown: unknown): unknown {
  return explainFailure(notebookFile, file, thrown)
}

/** Opens the file, makes it where it is not there, and brings it up to date. Throws `notebook/...` naming it. */
export function openNotebookFile(file: string): Database {
  const database = openDatabase(file, notebookFile)
  // What a person writes is on the disk when the request is answered.
  database.pragma('synchronous = FULL')
  database.pragma('foreign_keys = ON')
  // Waiting holds up everything else of its process; another one's writes are short.
  database.pragma('busy_timeout = 250')
  return database
}
