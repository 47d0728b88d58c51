/** What is done with a database that turns out to be broken: it is set aside, never deleted, and its backup takes its place. */
import fs from 'node:fs'
import Sqlite, { type Database } from 'better-sqlite3'
import { backupOf, isWhole } from './backup.ts'
import { type DatabaseKind, failureCode, openDatabase } from './database.ts'

/** Whether SQLite says that a file is broken. */
export function saysBroken(thrown: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB)/.test(failureCode(thrown))
}

/** A file above this size, in bytes, is not looked through when it is opened: that would hold its process up. */
const lookedThrough = 64e6

/** Looks through a database that was just opened. Throws SQLITE_CORRUPT where it is not whole: most of a broken file may never be asked for. */
export function lookThrough(database: Database): void {
  if (fs.statSync(database.name).size > lookedThrough) return
  const said = database.pragma('quick_check(1)', { simple: true })
  if (said !== 'ok') throw new Sqlite.SqliteError(String(said), 'SQLITE_CORRUPT')
}

/** Moves a database with its log to a name beside it that nothing has. Gives that name. */
export function setAside(file: string): string {
  for (let copy = 1; ; copy += 1) {
    const aside = `${file}.broken-${copy}`
    if (fs.existsSync(aside)) continue
    // The log first: without its file it is nothing, but a file that begins anew beside an old log would take it for its own.
    for (const end of ['-wal', '-shm', '']) if (fs.existsSync(`${file}${end}`)) fs.renameSync(`${file}${end}`, `${aside}${end}`)
    return aside
  }
}

export interface Repair {
  /** Where the broken file lies now. */
  readonly aside: string
  /** Whether a backup took its place. */
  readonly fromBackup: boolean
  /** How many entries were read out of the broken file, beyond those of the backup; and how many could not be. */
  readonly salvaged: number
  readonly lost: number
}

/**
 * Sets a broken file aside and begins another from its backup, where there is one; `salvage` then takes what can still be read of the broken
 * one. Null where the file is whole: another process has repaired it. Throws what keeps the new file from being written.
 */
export function repairDatabase(
  file: string,
  kind: DatabaseKind,
  salvage: (broken: Database, into: Database) => { salvaged: number; lost: number } = () => ({ salvaged: 0, lost: 0 })
): Repair | null {
  if (isWhole(file, kind.applicationId)) return null
  const aside = setAside(file)
  const backup = backupOf(file)
  const fromBackup = fs.existsSync(backup) && isWhole(backup, kind.applicationId)
  if (fromBackup) {
    const partial = `${file}.${process.pid}.part`
    fs.copyFileSync(backup, partial)
    fs.renameSync(partial, file)
  }
  const database = openDatabase(file, kind)
  let broken: Database | null = null
  try {
    broken = new Sqlite(aside, { fileMustExist: true })
    return { aside, fromBackup, ...salvage(broken, database) }
  } catch (thrown) {
    // Nothing of it can be read.
    if (!(thrown instanceof Sqlite.SqliteError)) throw thrown
    return { aside, fromBackup, salvaged: 0, lost: 0 }
  } finally {
    broken?.close()
    database.close()
  }
}

/** A repair in words, for the person whose file it is; `entries` names what is in it, e.g. `runs`. */
export function repairInWords(file: string, entries: string, { aside, fromBackup, salvaged, lost }: Repair): string {
  const from = [fromBackup ? 'its backup' : null, salvaged > 0 ? `${salvaged} ${entries} that could still be read` : null].filter(
    it => it !== null
  )
  const begun = from.length === 0 ? 'a new one is begun' : `it was made again from ${from.join(' and ')}`
  const missing = lost > 0 ? `; ${lost} ${entries} could not be read` : ''
  return `${file} was broken: ${begun}${missing}. The broken file lies at ${aside}.`
}
