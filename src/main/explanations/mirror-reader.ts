/** A reader's thread: answers one question after the other on a connection of its own, so that no search waits for an import. */
import { parentPort, workerData } from 'node:worker_threads'
import { z } from 'zod'
import { toErrorData } from '../../contract/errors.ts'
import { explainFailure, openDatabase } from './database.ts'
import { MirrorReading } from './mirror-reading.ts'
import { answer, toReader } from './reader-messages.ts'

const { file } = z.object({ file: z.string() }).parse(workerData)
const reading = new MirrorReading(openDatabase(file))

parentPort?.on('message', raw => {
  const { id, question, cancelled } = toReader.parse(raw)
  const flag = new Int32Array(cancelled)
  try {
    parentPort?.postMessage({ id, answer: answer(reading, question, () => Atomics.load(flag, 0) === 1) })
  } catch (thrown) {
    parentPort?.postMessage({ id, error: toErrorData(explainFailure(file, thrown)) })
  }
})
