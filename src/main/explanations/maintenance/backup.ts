/** Copies the mirror to a file, while it is read and even written: whole or not at all. */
import fs from 'node:fs/promises'
import path from 'node:path'
import type { Database } from 'better-sqlite3'
import { SpliceError } from '../../../contract/errors.ts'
import type { BackupResult } from '../../../contract/mirror.ts'
import { freeBytes, inWords } from '../../transfer/room.ts'
import { type JobControl, throwIfCancelled } from './job.ts'

/** Pages copied between two looks at whether to go on. */
const pagesAtOnce = 2000

/** The mirror's size in its file, in bytes. */
export function bytesOf(database: Database): number {
  return Number(database.pragma('page_count', { simple: true })) * Number(database.pragma('page_size', { simple: true }))
}

/** Throws `mirror/no-room` where a disk has less than `bytes` free. */
export async function checkRoom(folder: string, bytes: number, what: string): Promise<void> {
  const free = await freeBytes(folder)
  if (free === null || free >= bytes) return
  throw new SpliceError('mirror/no-room', `${what} needs ${inWords(bytes)} on the disk of ${folder}, which has ${inWords(free)} free`, {
    file: folder,
    hint: 'Make room, or name a place on another disk.'
  })
}

/** Throws `mirror/exists` where something is at `file` already, `mirror/no-room`, `mirror/cancelled`. */
export async function backUp(database: Database, file: string, control: JobControl): Promise<BackupResult> {
  const started = performance.now()
  const isThere = await fs.lstat(file).then(
    () => true,
    () => false
  )
  if (isThere) throw new SpliceError('mirror/exists', `${file} is there already`, { file, hint: 'Name a file that is not there yet.' })
  const folder = path.dirname(file)
  const isFolder = await fs.stat(folder).then(
    stat => stat.isDirectory(),
    () => false
  )
  if (!isFolder)
    throw new SpliceError('mirror/no-folder', `${folder} is no folder`, { file: folder, hint: 'Make it first, or name another place.' })
  await checkRoom(folder, bytesOf(database), 'a backup')
  const partial = `${file}.partial`
  try {
    await fs.rm(partial, { force: true })
    await database.backup(partial, {
      progress: ({ totalPages, remainingPages }) => {
        throwIfCancelled(control, 'backup', 'nothing was written')
        control.onProgress({ stage: 'copying', fraction: totalPages === 0 ? 0 : 1 - remainingPages / totalPages })
        return pagesAtOnce
      }
    })
    const copy = await fs.open(partial, 'r+')
    await copy.sync().finally(() => copy.close())
    await fs.rename(partial, file)
  } catch (thrown) {
    await fs.rm(partial, { force: true })
    throw thrown
  }
  return { file, bytes: (await fs.stat(file)).size, seconds: (performance.now() - started) / 1000 }
}
