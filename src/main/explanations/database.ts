/** Opens the mirror's file, with errors that name it. */
import fs from 'node:fs'
import path from 'node:path'
import Sqlite, { type Database } from 'better-sqlite3'
import { SpliceError } from '../../contract/errors.ts'
import { applicationId, migrate, schemaVersion } from './migrations.ts'

/** How long a writer waits for another one, in ms. */
export const lockPatience = 5000

/** A SQLite failure in words; anything else as it is. */
export function explainFailure(file: string, thrown: unknown): unknown {
  if (!(thrown instanceof Sqlite.SqliteError)) return thrown
  const { code } = thrown
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new SpliceError('mirror/locked', `${file} is being written by another Splice`, {
      file,
      hint: 'Wait until its import has ended.',
      cause: thrown
    })
  }
  if (code.startsWith('SQLITE_NOTADB') || code.startsWith('SQLITE_CORRUPT')) {
    return new SpliceError('mirror/corrupt', `${file} is not a whole SQLite file`, {
      file,
      hint: 'Move it away; explanations can be imported again.',
      cause: thrown
    })
  }
  if (
    code.startsWith('SQLITE_FULL') ||
    code.startsWith('SQLITE_IOERR') ||
    code.startsWith('SQLITE_READONLY') ||
    code.startsWith('SQLITE_CANTOPEN')
  ) {
    return new SpliceError('mirror/disk', `${file} cannot be written or read: ${thrown.message}`, {
      file,
      hint: 'Check the disk and the rights of its folder.',
      cause: thrown
    })
  }
  return thrown
}

function checkOurs(database: Database, file: string): void {
  const id = Number(database.pragma('application_id', { simple: true }))
  const version = Number(database.pragma('user_version', { simple: true }))
  const tables = database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get()
  if (id !== applicationId && tables !== 0) {
    throw new SpliceError('mirror/foreign', `${file} is a database of another program`, { file, hint: 'Name another file with --db.' })
  }
  if (version > schemaVersion) {
    throw new SpliceError('mirror/newer', `${file} was written by a newer Splice`, {
      file,
      hint: 'Update Splice, or name another file with --db.'
    })
  }
}

/** Opens the file and brings its schema up to date. Throws `mirror/...` naming the file. */
export function openDatabase(file: string): Database {
  let database: Database | null = null
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true })
    database = new Sqlite(file, { timeout: lockPatience })
    checkOurs(database, file)
    if (Number(database.pragma('user_version', { simple: true })) < schemaVersion) {
      database.pragma('journal_mode = WAL')
      migrate(database)
    }
    database.pragma('synchronous = NORMAL')
    // Rows refer to names that the same transaction writes; looking each one up would cost more than the row.
    database.pragma('foreign_keys = OFF')
    return database
  } catch (thrown) {
    database?.close()
    throw thrown instanceof TypeError
      ? new SpliceError('mirror/disk', `${file} cannot be opened: ${thrown.message}`, {
          file,
          hint: 'Name another file with --db.',
          cause: thrown
        })
      : explainFailure(file, thrown)
  }
}
