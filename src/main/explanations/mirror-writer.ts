/** The writer's thread: does one job on a connection of its own, so that searches go on meanwhile. */
import os from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { z } from 'zod'
import { toErrorData } from '../../contract/errors.ts'
import { explainFailure, openDatabase } from './database.ts'
import type { ImportFile } from './import/import-files.ts'
import { doJob, toWriter, writerJob } from './writer-jobs.ts'

// A person waits for searches and runs: they go before an import where cores are few. Linux alone gives threads a priority of their own.
if (process.platform === 'linux') os.setPriority(0, 5)

const { file, job, cancelled } = z
  .object({ file: z.string(), job: writerJob, cancelled: z.instanceof(SharedArrayBuffer) })
  .parse(workerData)
const flag = new Int32Array(cancelled)
const isCancelled = () => Atomics.load(flag, 0) === 1

/** Files that were sent and not taken yet, and those who wait for one. */
const files: (ImportFile | null)[] = []
const waiting: ((file: ImportFile | null) => void)[] = []
let hasEnded = false

function give(next: ImportFile | null): void {
  if (next === null) {
    hasEnded = true
    for (const take of waiting.splice(0)) take(null)
  } else {
    const take = waiting.shift()
    if (take === undefined) files.push(next)
    else take(next)
  }
}

if (job.kind === 'sync') {
  parentPort?.on('message', raw => {
    const message = toWriter.parse(raw)
    give(message.type === 'file' ? message.file : null)
  })
}

const feed = {
  next: (): Promise<ImportFile | null> => {
    const here = files.shift()
    if (here !== undefined) return Promise.resolve(here)
    return hasEnded ? Promise.resolve(null) : new Promise(resolve => waiting.push(resolve))
  }
}

try {
  const database = openDatabase(file)
  try {
    const result = await doJob(database, file, job, {
      feed,
      isCancelled,
      onImportProgress: progress => parentPort?.postMessage({ type: 'import-progress', progress }),
      onProgress: progress => parentPort?.postMessage({ type: 'progress', progress }),
      onFile: ({ name }, { rows, rejected }) => parentPort?.postMessage({ type: 'file', name, rows, rejected })
    })
    parentPort?.postMessage({ type: 'result', result })
  } finally {
    database.close()
  }
} catch (thrown) {
  parentPort?.postMessage({ type: 'error', error: toErrorData(explainFailure(file, thrown)) })
} finally {
  // A port that is listened to keeps its thread.
  parentPort?.unref()
}
