/** Merges the index into one piece and writes the file anew without its gaps. SQLite keeps the old pages until the new ones are safe. */
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { Database } from 'better-sqlite3'
import type { CompactResult } from '../../../contract/mirror.ts'
import { isOneDisk } from '../../transfer/room.ts'
import { bytesOf, checkRoom } from './backup.ts'
import { type JobControl, throwIfCancelled } from './job.ts'
import { freeBytesWithin } from './removal.ts'

/** Pages of the index that are merged between two looks at whether to go on. */
const pagesAtOnce = 1000
const left = 'what was merged stays'

/** Where SQLite keeps temporary files (https://www.sqlite.org/tempfiles.html, section 5). */
async function sqliteTemporaryFolder(): Promise<string> {
  if (process.platform === 'win32') return os.tmpdir()
  for (const folder of [process.env.SQLITE_TMPDIR, process.env.TMPDIR, '/var/tmp', '/usr/tmp', '/tmp']) {
    if (folder === undefined || folder === '') continue
    const isWritable = await fs.access(folder, fs.constants.W_OK | fs.constants.X_OK).then(
      () => true,
      () => false
    )
    if (isWritable) return folder
  }
  return process.cwd()
}

/** Merges an index, a little at a time. https://www.sqlite.org/fts5.html#the_merge_command */
function mergeIndex(database: Database, index: 'text_index' | 'run_grams', control: JobControl): void {
  const merge = database.prepare<[number]>(`INSERT INTO ${index} (${index}, rank) VALUES ('merge', ?)`)
  const changes = database.prepare('SELECT total_changes()').pluck()
  // A negative number asks for all pieces to become one; the rest of the work is asked for piece by piece.
  for (let pages = -pagesAtOnce; ; pages = pagesAtOnce) {
    throwIfCancelled(control, 'compacting', left)
    const before = Number(changes.get())
    merge.run(pages)
    if (Number(changes.get()) - before < 2) return
    control.onProgress({ stage: 'merging the index', fraction: null })
  }
}

/** Room that SQLite needs to write the file anew: a copy in its temporary folder, and another in the log beside the file. */
async function checkRoomFor(database: Database): Promise<void> {
  const bytes = bytesOf(database) - freeBytesWithin(database)
  const folder = path.dirname(database.name)
  const temporary = await sqliteTemporaryFolder()
  const what = 'compacting'
  if (await isOneDisk(folder, temporary)) return checkRoom(folder, 2 * bytes, what)
  await checkRoom(temporary, bytes, what)
  await checkRoom(folder, bytes, what)
}

/** Throws `mirror/no-room`, `mirror/cancelled`. */
export async function compact(database: Database, control: JobControl): Promise<CompactResult> {
  const started = performance.now()
  const bytesBefore = bytesOf(database)
  await checkRoomFor(database)
  for (const index of ['text_index', 'run_grams'] as const) mergeIndex(database, index, control)
  // Merging takes room of its own.
  await checkRoomFor(database)
  throwIfCancelled(control, 'compacting', left)
  control.onProgress({ stage: 'writing the file anew', fraction: null })
  database.exec('VACUUM')
  database.pragma('wal_checkpoint(TRUNCATE)')
  return { bytesBefore, bytesAfter: bytesOf(database), seconds: (performance.now() - started) / 1000 }
}
