/** Opens files that a person named, with errors that say which file and why. Regular files alone: a pipe or a device never ends. */
import type { Stats } from 'node:fs'
import fs from 'node:fs/promises'
import { SpliceError } from '../../contract/errors.ts'

/** An open file: its path with links resolved, its size, and a reader of exact ranges. */
export interface OpenFile {
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedMs: number
  /** Bytes `[offset, offset + length)`; null where the file ends before. */
  read(offset: number, length: number): Promise<Buffer | null>
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read by this user',
  EISDIR: 'is a folder',
  ENOTDIR: 'lies below something that is not a folder',
  ELOOP: 'is a loop of links',
  ENAMETOOLONG: 'has a longer name than any file'
}

/** Why a file system call failed, in words. */
export function whyUnreadable(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
  return reasons[code] ?? (thrown instanceof Error ? thrown.message : String(thrown))
}

/** A file is looked at before it is opened: opening a pipe waits for whoever writes into it. */
function requireRegular(stat: Stats): void {
  if (stat.isDirectory()) throw new Error('is a folder')
  if (!stat.isFile()) throw new Error('is not a file')
}

/** The text of a small file. Throws what `whyUnreadable` puts in words, also where it has more than `mostBytes` or is no regular file. */
export async function readText(file: string, mostBytes: number): Promise<string> {
  return (await readSmall(file, mostBytes)).toString('utf8')
}

/** The bytes of a small file; throws as `readText` does. */
export async function readSmall(file: string, mostBytes: number): Promise<Buffer> {
  requireRegular(await fs.stat(file))
  const handle = await fs.open(file, 'r')
  try {
    const { size } = await handle.stat()
    if (size > mostBytes) throw new Error(`has ${size} bytes, more than any such file`)
    // Files of /proc have no size; whatever grows meanwhile is read no further.
    const bytes = Buffer.alloc(size)
    let done = 0
    while (done < size) {
      const { bytesRead } = await handle.read(bytes, done, size - done, done)
      if (bytesRead === 0) break
      done += bytesRead
    }
    return bytes.subarray(0, done)
  } finally {
    await handle.close()
  }
}

/** Opens a regular file for the length of `use`. Throws `file/unreadable` naming the file. */
export async function withFile<Result>(file: string, use: (open: OpenFile) => Promise<Result>): Promise<Result> {
  const unreadable = (why: string) => new SpliceError('file/unreadable', `${file} ${why}`, { file, hint: 'Check the path.' })
  let handle: fs.FileHandle
  let resolved: string
  try {
    resolved = await fs.realpath(file)
    requireRegular(await fs.stat(resolved))
    handle = await fs.open(resolved, 'r')
  } catch (thrown) {
    throw unreadable(whyUnreadable(thrown))
  }
  try {
    const stat = await handle.stat()
    if (!stat.isFile()) throw unreadable('is not a file')
    return await use({
      path: resolved,
      sizeBytes: stat.size,
      modifiedMs: stat.mtimeMs,
      async read(offset, length) {
        if (offset < 0 || length < 0 || offset + length > stat.size) return null
        const bytes = Buffer.alloc(length)
        let done = 0
        while (done < length) {
          const { bytesRead } = await handle.read(bytes, done, length - done, offset + done)
          if (bytesRead === 0) return null
          done += bytesRead
        }
        return bytes
      }
    })
  } finally {
    await handle.close()
  }
}
