/** A parser's thread: reads the files it is told and hands over batches, a few ahead of what the writer has taken. */
import { parentPort } from 'node:worker_threads'
import { z } from 'zod'
import { toErrorData } from '../../../contract/errors.ts'
import { parseFile } from './file-parser.ts'

const toParser = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('parse'),
    file: z.int(),
    source: z.object({ path: z.string(), bytes: z.number(), modified: z.number() }),
    skip: z.int()
  }),
  z.object({ type: z.literal('taken') })
])

/** Batches that may wait for the writer. */
const ahead = 3
let waiting = 0
let goOn: (() => void) | null = null

parentPort?.on('message', raw => {
  const message = toParser.parse(raw)
  if (message.type === 'taken') {
    waiting -= 1
    goOn?.()
    return
  }
  void parse(message)
})

async function parse({ file, source, skip }: Extract<z.infer<typeof toParser>, { type: 'parse' }>): Promise<void> {
  try {
    for await (const batch of parseFile(source, file, skip)) {
      parentPort?.postMessage({ type: 'batch', batch })
      waiting += 1
      while (waiting >= ahead) {
        await new Promise<void>(resolve => {
          goOn = resolve
        })
      }
    }
  } catch (thrown) {
    parentPort?.postMessage({ type: 'error', error: toErrorData(thrown) })
  }
}
