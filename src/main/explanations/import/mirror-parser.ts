/**
 * A parser's thread: reads the files it is told, one after the other, and hands over batches, a few ahead of what the writer has
 * taken. Files are told ahead too, so that it goes on with the next one while the writer is busy.
 */
import os from 'node:os'
import { parentPort } from 'node:worker_threads'
import { z } from 'zod'
import { toErrorData } from '../../../contract/errors.ts'
import { TermWriter } from '../search/index-terms.ts'
import { parseFile } from './file-parser.ts'

const toParser = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('parse'),
    id: z.int(),
    file: z.object({ path: z.string(), bytes: z.number() }),
    skip: z.int(),
    withEmbeddings: z.boolean()
  }),
  z.object({ type: z.literal('taken') })
])

/** Batches that may wait for the writer: as many as it writes at once, for while it does, parsing goes on. */
const ahead = 12
const terms = new TermWriter()
// The writer is what an import waits for: it goes first where cores are few.
if (process.platform === 'linux') os.setPriority(0, 10)
let waiting = 0
let goOn: (() => void) | null = null
let last: Promise<void> = Promise.resolve()

parentPort?.on('message', raw => {
  const message = toParser.parse(raw)
  if (message.type === 'taken') {
    waiting -= 1
    goOn?.()
    return
  }
  last = last.then(() => parse(message))
})

async function parse({ id, file, skip, withEmbeddings }: Extract<z.infer<typeof toParser>, { type: 'parse' }>): Promise<void> {
  try {
    for await (const batch of parseFile(file, { skip, withEmbeddings, terms })) {
      parentPort?.postMessage({ type: 'batch', id, batch })
      waiting += 1
      while (waiting >= ahead) {
        await new Promise<void>(resolve => {
          goOn = resolve
        })
      }
    }
  } catch (thrown) {
    parentPort?.postMessage({ type: 'error', id, error: toErrorData(thrown) })
  }
}
