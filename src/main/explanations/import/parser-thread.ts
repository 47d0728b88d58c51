/** A parser's thread, seen from the writer: it reads one file after the other and is a few batches ahead. */
import { Worker } from 'node:worker_threads'
import { z } from 'zod'
import { errorData, SpliceError } from '../../../contract/errors.ts'
import { threadEntry } from '../thread-entry.ts'
import type { ImportFile } from './import-files.ts'
import { batchMessage, type ParsedBatch } from './parsed-batch.ts'

/** Room for young objects, in MB: with less, collecting the garbage of a few batches takes a tenth of the time. */
const youngMegabytes = 48

const fromParser = z.discriminatedUnion('type', [batchMessage, z.object({ type: z.literal('error'), error: errorData })])

export class ParserThread {
  readonly #worker = new Worker(threadEntry('mirror-parser'), { resourceLimits: { maxYoungGenerationSizeMb: youngMegabytes } })

  /** Reads a file from row `skip` on; settles after its last batch. Throws what the parser or `take` throws. */
  parse({ path, bytes }: ImportFile, skip: number, withEmbeddings: boolean, take: (batch: ParsedBatch) => void): Promise<void> {
    const worker = this.#worker
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        worker.off('message', onMessage)
        worker.off('error', reject)
        settle()
      }
      const onMessage = (raw: unknown) => {
        try {
          const message = fromParser.parse(raw)
          if (message.type === 'error') throw SpliceError.fromData(message.error)
          take(message.batch)
          worker.postMessage({ type: 'taken' })
          if (message.batch.isLast) end(resolve)
        } catch (thrown) {
          end(() => reject(thrown))
        }
      }
      worker.on('message', onMessage)
      worker.on('error', reject)
      worker.postMessage({ type: 'parse', file: { path, bytes }, skip, withEmbeddings })
    })
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}
