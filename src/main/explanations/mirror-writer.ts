/** The writer's thread: imports into the mirror on a connection of its own, so that searches go on meanwhile. */
import { parentPort, workerData } from 'node:worker_threads'
import { z } from 'zod'
import { toErrorData } from '../../contract/errors.ts'
import { explainFailure, openDatabase } from './database.ts'
import { importFiles } from './import/import.ts'

const { file, paths, cancelled } = z
  .object({ file: z.string(), paths: z.array(z.string()), cancelled: z.instanceof(SharedArrayBuffer) })
  .parse(workerData)
const flag = new Int32Array(cancelled)

try {
  const database = openDatabase(file)
  try {
    const outcome = await importFiles(database, file, paths, {
      onProgress: progress => parentPort?.postMessage({ type: 'progress', progress }),
      isCancelled: () => Atomics.load(flag, 0) === 1
    })
    parentPort?.postMessage({ type: 'result', outcome })
  } finally {
    database.close()
  }
} catch (thrown) {
  parentPort?.postMessage({ type: 'error', error: toErrorData(explainFailure(file, thrown)) })
}
