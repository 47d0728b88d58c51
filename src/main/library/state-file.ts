/** Small JSON files of the home folder: parsed by a schema, written whole or not at all, set aside when they are broken. */
import fs from 'node:fs/promises'
import path from 'node:path'
import type { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import { type JsonBounds, parseJson } from '../checkpoint/json.ts'
import { readText, whyUnreadable } from '../checkpoint/open-file.ts'

/** The largest, a newer table of releases and what a scan found, have some MB. */
const mostBytes = 128 * 1024 * 1024
const bounds: JsonBounds = { depth: 100, values: 8_000_000 }

/** Writes a file whole or not at all, its folder too. Throws `home/disk` naming the file; then nothing of it is left. */
export async function writeWhole(file: string, text: string): Promise<void> {
  const part = `${file}.${process.pid}.part`
  try {
    await fs.mkdir(path.dirname(file), { recursive: true })
    await fs.writeFile(part, text)
    await fs.rename(part, file)
  } catch (thrown) {
    await fs.rm(part, { force: true }).catch(() => undefined)
    if (!(thrown instanceof Error && 'code' in thrown)) throw thrown
    const why = thrown.code === 'ENOSPC' ? 'the disk is full' : thrown.code === 'EROFS' ? 'the disk is read-only' : thrown.message
    throw new SpliceError('home/disk', `${file} cannot be written: ${why}`, {
      file,
      hint: 'Make room or check the rights of its folder; what was written there before still holds.',
      cause: thrown
    })
  }
}

function unreadable(file: string, why: string): SpliceError {
  return new SpliceError('home/unreadable', `${file} ${why}`, {
    file,
    hint: 'Move it away, or check who may read and write in its folder: Splice keeps its state there.'
  })
}

/** Gives a broken file another name, which nothing has. Throws `home/unreadable`. */
async function setAside(file: string): Promise<void> {
  try {
    await fs.rename(file, await freeName(`${file}.corrupt`))
  } catch (thrown) {
    throw unreadable(file, `is broken and cannot be moved away (${whyUnreadable(thrown)})`)
  }
}

/** A name that nothing has: the wanted one, or that with a number. */
export async function freeName(wanted: string): Promise<string> {
  for (let copy = 0; ; copy += 1) {
    const name = copy === 0 ? wanted : `${wanted}-${copy}`
    if ((await fs.lstat(name).catch(() => null)) === null) return name
  }
}

export class StateFile<Schema extends z.ZodType> {
  readonly #file: string
  readonly #schema: Schema
  readonly #initial: () => z.infer<Schema>
  #writing: Promise<void> = Promise.resolve()

  constructor(file: string, schema: Schema, initial: () => z.infer<Schema>) {
    this.#file = file
    this.#schema = schema
    this.#initial = initial
  }

  /**
   * The value on disk, or the initial one. A file that does not parse is kept beside it as `.corrupt`. Throws `home/unreadable` for
   * what cannot be read at all, or not be set aside.
   */
  async read(): Promise<z.infer<Schema>> {
    let text: string
    try {
      text = await readText(this.#file, mostBytes)
    } catch (thrown) {
      if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return this.#initial()
      throw unreadable(this.#file, whyUnreadable(thrown))
    }
    try {
      return this.#schema.parse(parseJson(text, bounds))
    } catch {
      await setAside(this.#file)
      return this.#initial()
    }
  }

  /** Writes after whatever is being written. */
  write(value: z.infer<Schema>): Promise<void> {
    this.#writing = this.#writing
      .catch(() => undefined)
      .then(async () => {
        await writeWhole(this.#file, JSON.stringify(value, null, 1))
      })
    return this.#writing
  }
}
