/** Files that are being fetched, by id. They live in a folder of the cache and go when their stream ends. */
import { randomUUID } from 'node:crypto'
import fs from 'node:fs/promises'
import path from 'node:path'
import { SpliceError } from '../../contract/errors.ts'
import type { FilePart, HeldFile } from '../../contract/held-files.ts'

export class HeldFiles {
  readonly #folder: string
  readonly #files = new Map<string, string>()

  constructor(home: string) {
    this.#folder = path.join(home, 'cache', 'held-files')
  }

  /**
   * Lets `write` make a file, passing its events on, then holds the file until the iteration ends. The engine's process id is
   * part of the file's name: what another engine left behind when it was killed is removed first.
   */
  async *hold<Event>(
    extension: string,
    write: (file: string) => AsyncIterable<Event>,
    signal?: AbortSignal
  ): AsyncGenerator<Event | HeldFile, void> {
    const id = randomUUID()
    await fs.mkdir(this.#folder, { recursive: true })
    await this.#removeOrphans()
    const file = path.join(this.#folder, `${process.pid}-${id}.${extension}`)
    try {
      yield* write(file)
      this.#files.set(id, file)
      yield { type: 'ready', id, bytes: (await fs.stat(file)).size }
      await ended(signal)
    } finally {
      this.#files.delete(id)
      await fs.rm(file, { force: true })
    }
  }

  /** A piece of a file. Throws `file/not-held` where the stream of that id has ended. */
  async part({ id, offset, length }: FilePart): Promise<Blob> {
    const file = this.#files.get(id)
    if (file === undefined) throw new SpliceError('file/not-held', 'the file to fetch is no longer held', { hint: 'Start again.' })
    const handle = await fs.open(file)
    try {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, offset)
      return new Blob([buffer.subarray(0, bytesRead)])
    } finally {
      await handle.close()
    }
  }

  async #removeOrphans(): Promise<void> {
    for (const name of await fs.readdir(this.#folder)) {
      const owner = Number(name.split('-')[0])
      if (!isAlive(owner)) await fs.rm(path.join(this.#folder, name), { force: true })
    }
  }
}

function isAlive(processId: number): boolean {
  try {
    return Number.isInteger(processId) && processId > 0 && process.kill(processId, 0)
  } catch {
    return false
  }
}

/** Settles when a signal aborts. */
export function ended(signal: AbortSignal | undefined): Promise<void> {
  return new Promise(resolve => {
    if (signal === undefined || signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
