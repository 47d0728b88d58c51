/** The mirror's file: its mark, its schema, and its errors, which name it. */
import type { Database } from 'better-sqlite3'
import { type DatabaseKind, explainFailure as explain, openDatabase as open } from '../sqlite/database.ts'
import { repairDatabase, repairInWords, saysBroken } from '../sqlite/repair.ts'
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

/**
 * Moves a broken mirror aside, so that a new one can be begun: explanations can be imported again. Gives what to tell the person; null where
 * the file is not broken, or whole again since another process has done this.
 */
export function setBrokenMirrorAside(file: string, thrown: unknown): string | null {
  if (!saysBroken(thrown)) return null
  const repair = repairDatabase(file, mirrorFile)
  if (repair === null) return null
  return `${repairInWords(file, 'explanations', repair)} Import or sync the explanations again.`
}

/** Opens the file and brings its schema up to date. Throws `mirror/...` naming the file. */
export function openDatabase(file: string): Database {
  const database = open(file, mirrorFile)
  // Rows refer to names that the same transaction writes; looking each one up would cost more than the row.
  database.pragma('foreign_keys = OFF')
  return database
}
