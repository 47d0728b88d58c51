/** The mirror's file: its mark, its schema, and its errors, which name it. */
import type { Database } from 'better-sqlite3'
import { type DatabaseKind, explainFailure as explain, openDatabase as open } from '../sqlite/database.ts'
import { applicationId, migrations } from './migrations.ts'

const mirrorFile: DatabaseKind = {
  area: 'mirror',
  applicationId,
  migrations,
  givesBack: false,
  whenLocked: 'Wait until its import has ended.',
  whenCorrupt: 'Move it away; explanations can be imported again.',
  elsewhere: 'Name another file with --db.'
}

/** A SQLite failure in words; anything else as it is. */
export function explainFailure(file: string, thrown: unknown): unknown {
  return explain(mirrorFile, file, thrown)
}

/** Opens the file and brings its schema up to date. Throws `mirror/...` naming the file. */
export function openDatabase(file: string): Database {
  const database = open(file, mirrorFile)
  // Rows refer to names that the same transaction writes; looking each one up would cost more than the row.
  database.pragma('foreign_keys = OFF')
  return database
}
