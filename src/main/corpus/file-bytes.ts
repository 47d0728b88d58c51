/** The bytes of a file that a person named, from an offset on. */
import fs from 'node:fs/promises'
import { SpliceError } from '../../contract/errors.ts'
import { whyUnreadable } from '../checkpoint/open-file.ts'

const chunkBytes = 65_536

/** A file's size in bytes and a mark that changes with it. Throws `file/unreadable` where it is no file. */
export async function fileFacts(file: string): Promise<{ size: number; stamp: string }> {
  const unreadable = (why: string) => new SpliceError('file/unreadable', `${file} ${why}`, { file, hint: 'Check the path.' })
  const stat = await fs.stat(file).catch(thrown => {
    throw unreadable(whyUnreadable(thrown))
  })
  if (!stat.isFile()) throw unreadable('is not a file')
  return { size: stat.size, stamp: `${stat.size} bytes of ${new Date(stat.mtimeMs).toISOString()}` }
}

/** Chunks of the file from `offset` on. Throws `file/unreadable`. */
export async function* readBytes(file: string, offset: number): AsyncGenerator<Buffer, void> {
  const handle = await fs.open(file, 'r').catch(thrown => {
    throw new SpliceError('file/unreadable', `${file} ${whyUnreadable(thrown)}`, { file, hint: 'Check the path.' })
  })
  try {
    for (let at = offset; ; ) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, at)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
      at += bytesRead
    }
  } finally {
    await handle.close()
  }
}
