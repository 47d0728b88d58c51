/** Small JSON files of the home folder: parsed by a schema, written whole or not at all, set aside when they are broken. */
import fs from 'node:fs/promises'
import path from 'node:path'
import type { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'

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

  /** The value on disk, or the initial one. A file that does not parse is kept beside it as `.corrupt`. */
  async read(): Promise<z.infer<Schema>> {
    let text: string
    try {
      text = await fs.readFile(this.#file, 'utf8')
    } catch (thrown) {
      if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return this.#initial()
      throw thrown
    }
    try {
      return this.#schema.parse(JSON.parse(text))
    } catch {
      await fs.rename(this.#file, `${this.#file}.corrupt`)
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
