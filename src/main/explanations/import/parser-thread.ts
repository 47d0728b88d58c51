/** A parser's thread, seen from the writer: it reads the files it is told one after the other and is a few batches ahead. */
import { Worker } from 'node:worker_threads'
import { z } from 'zod'
import { errorData, SpliceError } from '../../../contract/errors.ts'
import { threadEntry } from '../thread-entry.ts'
import type { ImportFile } from './import-files.ts'
import { batchMessage, type ParsedBatch } from './parsed-batch.ts'

/** Room for young objects, in MB: with less, collecting the garbage of a few batches takes a tenth of the time. */
const youngMegabytes = 48

const fromParser = z.discriminatedUnion('type', [
  batchMessage.extend({ id: z.int() }),
  z.object({ type: z.literal('error'), id: z.int(), error: errorData })
])

/** A file that was told to the thread. */
interface Told {
  readonly take: (batch: ParsedBatch) => void
  readonly resolve: () => void
  readonly reject: (thrown: unknown) => void
}

export class ParserThread {
  readonly #worker = new Worker(threadEntry('mirror-parser'), { resourceLimits: { maxYoungGenerationSizeMb: youngMegabytes } })
  readonly #told = new Map<number, Told>()
  #count = 0

  constructor() {
    this.#worker.on('message', raw => this.#receive(raw))
    this.#worker.on('error', thrown => {
      for (const { reject } of this.#told.values()) reject(thrown)
      this.#told.clear()
    })
  }

  /**
   * Reads a file from row `skip` on, after those that were asked for before; settles after its last batch. Throws what the parser or
   * `take` throws.
   */
  parse({ path, bytes }: ImportFile, skip: number, withEmbeddings: boolean, take: (batch: ParsedBatch) => void): Promise<void> {
    this.#count += 1
    const id = this.#count
    return new Promise((resolve, reject) => {
      this.#told.set(id, { take, resolve, reject })
      this.#worker.postMessage({ type: 'parse', id, file: { path, bytes }, skip, withEmbeddings })
    })
  }

  #receive(raw: unknown): void {
    const message = fromParser.parse(raw)
    const told = this.#told.get(message.id)
    if (told === undefined) return
    try {
      if (message.type === 'error') throw SpliceError.fromData(message.error)
      told.take(message.batch)
      this.#worker.postMessage({ type: 'taken' })
      if (!message.batch.isLast) return
      this.#told.delete(message.id)
      told.resolve()
    } catch (thrown) {
      this.#told.delete(message.id)
      told.reject(thrown)
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}
