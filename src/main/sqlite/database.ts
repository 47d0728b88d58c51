/** Opens SQLite files of ours, each with its mark and its numbered migrations, and says in words what goes wrong with one. */
import fs from 'node:fs'
import path from 'node:path'
import Sqlite, { type Database } from 'better-sqlite3'
import { SpliceError } from '../../contract/errors.ts'

/** What tells one kind of file from another. */
export interface DatabaseKind {
  /** Errors are `<area>/...`. */
  readonly area: string
  /** Marks a SQLite file as one of this kind. */
  readonly applicationId: number
  /** `user_version` says how many of them a file has had. Never change one that was released. */
  readonly migrations: readonly ((database: Database) => void)[]
  /** Whether room that deleted rows leave goes back to the disk when `incremental_vacuum` is asked for. */
  readonly givesBack: boolean
  /** What to do while another process writes. */
  readonly whenLocked: string
  /** What to do when the file is broken. */
  readonly whenCorrupt: string
  /** How to take another file. */
  readonly elsewhere: string
}

/** How long a writer waits for another one, in ms. */
export const lockPatience = 5000

/** The code of a SQLite failure, explained or not; the empty string for anything else. */
export function failureCode(thrown: unknown): string {
  const failure = thrown instanceof SpliceError ? thrown.cause : thrown
  return failure instanceof Sqlite.SqliteError ? failure.code : ''
}

/** Whether another process writes to a file now. */
export function isLocked(thrown: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(failureCode(thrown))
}

/** A SQLite failure in words; anything else as it is. */
export function explainFailure({ area, whenLocked, whenCorrupt }: DatabaseKind, file: string, thrown: unknown): unknown {
  if (!(thrown instanceof Sqlite.SqliteError)) return thrown
  const { code } = thrown
  if (isLocked(thrown)) {
    return new SpliceError(`${area}/locked`, `${file} is being written by another Splice`, { file, hint: whenLocked, cause: thrown })
  }
  if (code.startsWith('SQLITE_NOTADB') || code.startsWith('SQLITE_CORRUPT')) {
    return new SpliceError(`${area}/corrupt`, `${file} is not a whole SQLite file`, { file, hint: whenCorrupt, cause: thrown })
  }
  if (
    code.startsWith('SQLITE_FULL') ||
    code.startsWith('SQLITE_IOERR') ||
    code.startsWith('SQLITE_READONLY') ||
    code.startsWith('SQLITE_CANTOPEN')
  ) {
    return new SpliceError(`${area}/disk`, `${file} cannot be written or read: ${thrown.message}`, {
      file,
      hint: 'Check the disk and the rights of its folder.',
      cause: thrown
    })
  }
  return thrown
}

function checkOurs(database: Database, file: string, { area, applicationId, migrations, elsewhere }: DatabaseKind): void {
  const id = Number(database.pragma('application_id', { simple: true }))
  const version = Number(database.pragma('user_version', { simple: true }))
  const tables = database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get()
  if (id !== applicationId && tables !== 0) {
    throw new SpliceError(`${area}/foreign`, `${file} is a database of another program`, { file, hint: elsewhere })
  }
  if (version > migrations.length) {
    throw new SpliceError(`${area}/newer`, `${file} was written by a newer Splice`, {
      file,
      hint: `Update Splice, or ${elsewhere.charAt(0).toLowerCase()}${elsewhere.slice(1)}`
    })
  }
}

/** Applies what is missing, all or nothing. */
export function migrate(database: Database, { applicationId, migrations }: DatabaseKind): void {
  database
    .transaction(() => {
      const done = Number(database.pragma('user_version', { simple: true }))
      for (const migration of migrations.slice(done)) migration(database)
      database.pragma(`application_id = ${applicationId}`)
      database.pragma(`user_version = ${migrations.length}`)
    })
    .immediate()
}

/** Opens the file and brings its schema up to date. Throws `<area>/...` naming the file. */
export function openDatabase(file: string, kind: DatabaseKind): Database {
  let database: Database | null = null
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true })
    database = new Sqlite(file, { timeout: lockPatience })
    checkOurs(database, file, kind)
    if (Number(database.pragma('user_version', { simple: true })) < kind.migrations.length) {
      // Only a file without tables takes it.
      if (kind.givesBack) database.pragma('auto_vacuum = INCREMENTAL')
      database.pragma('journal_mode = WAL')
      migrate(database, kind)
    }
    database.pragma('synchronous = NORMAL')
    return database
  } catch (thrown) {
    database?.close()
    if (thrown instanceof TypeError || isFileFailure(thrown)) {
      throw new SpliceError(`${kind.area}/disk`, `${file} cannot be opened: ${thrown.message}`, {
        file,
        hint: kind.elsewhere,
        cause: thrown
      })
    }
    throw explainFailure(kind, file, thrown)
  }
}

/** Making the folder fails with an error of the system. */
function isFileFailure(thrown: unknown): thrown is Error {
  return thrown instanceof Error && !(thrown instanceof Sqlite.SqliteError) && 'syscall' in thrown
}
