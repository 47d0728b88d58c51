/** Files of the cache: weights that cannot be mapped where they lie, unpacked once, whole or not at all. */
import { createHash } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'

/** What a cached file is made from; it is made anew when that file changed. */
export interface CacheSource {
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedMs: number
}

/**
 * The cache's file for `part` of a source, with links resolved; `write` makes it where it is not there with `byteLength` bytes.
 * Throws `cache/unpack` naming the source and the part.
 */
export async function cachedFile(
  cacheFolder: string,
  source: CacheSource,
  part: string,
  byteLength: number,
  write: (file: string) => Promise<void>
): Promise<string> {
  const key = createHash('sha256').update(`${source.path}:${source.sizeBytes}:${source.modifiedMs}:${part}`).digest('hex').slice(0, 32)
  const file = path.join(cacheFolder, `${key}.bin`)
  if (!(await hasSize(file, byteLength))) await make(file, source, part, byteLength, write)
  return fs.realpath(file)
}

async function hasSize(file: string, byteLength: number): Promise<boolean> {
  const stat = await fs.stat(file).catch(() => null)
  return stat !== null && stat.size === byteLength
}

async function make(
  file: string,
  source: CacheSource,
  part: string,
  byteLength: number,
  write: (file: string) => Promise<void>
): Promise<void> {
  const unfinished = `${file}.${process.pid}.part`
  try {
    await fs.mkdir(path.dirname(file), { recursive: true })
    await write(unfinished)
    if (!(await hasSize(unfinished, byteLength))) throw new Error('it has fewer bytes than its header says')
    await fs.rename(unfinished, file)
  } catch (thrown) {
    await fs.rm(unfinished, { force: true })
    if (thrown instanceof SpliceError) throw thrown
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    throw new SpliceError('cache/unpack', `${part} of ${source.path} cannot be unpacked (${why})`, {
      file: source.path,
      field: part,
      hint: 'Download the file again, or make room on the disk of the cache.',
      cause: thrown
    })
  }
}
