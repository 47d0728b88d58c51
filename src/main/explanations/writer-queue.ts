/** The mirror's one writer: jobs in the order in which they were asked for, each in a thread of its own. */
import { Worker } from 'node:worker_threads'
import { SpliceError } from '../../contract/errors.ts'
import type { ImportProgress } from '../../contract/explanations.ts'
import type { MirrorProgress } from '../../contract/mirror.ts'
import { threadEntry } from './thread-entry.ts'
import { fromWriter, type ToWriter, type WriterJob, type WriterResults, writerResults } from './writer-jobs.ts'

/** Room for young objects, in MB; see parser-thread.ts. */
const youngMegabytes = 48

export interface JobOptions {
  readonly signal?: AbortSignal | undefined
  readonly onImportProgress?: ((progress: ImportProgress) => void) | undefined
  readonly onProgress?: ((progress: MirrorProgress) => void) | undefined
  /** When all of a file is in the mirror. */
  readonly onFile?: ((name: string, rows: { rows: number; rejected: number }) => void) | undefined
  /** When the job has begun: `send` reaches its thread. */
  readonly onStart?: ((send: (message: ToWriter) => void) => void) | undefined
}

export class WriterQueue {
  readonly #file: string
  readonly #workers = new Set<Worker>()
  #last: Promise<unknown> = Promise.resolve()
  #isClosed = false
  readonly #waiting: WriterJob['kind'][] = []

  constructor(file: string) {
    this.#file = file
  }

  /** What is done now; null when nothing. */
  get work(): WriterJob['kind'] | null {
    return this.#waiting[0] ?? null
  }

  /** Does a job after those that were asked for before. Throws what went wrong. */
  run<Kind extends WriterJob['kind']>(job: Extract<WriterJob, { kind: Kind }>, options: JobOptions = {}): Promise<WriterResults[Kind]> {
    this.#waiting.push(job.kind)
    const work = this.#last
      .then(() => this.#inThread(job, options))
      .finally(() => {
        this.#waiting.shift()
      })
    this.#last = work.catch(() => undefined)
    // Each kind's result has its schema.
    return work.then(result => writerResults[job.kind].parse(result) as WriterResults[Kind])
  }

  #inThread(job: WriterJob, { signal, onImportProgress, onProgress, onFile, onStart }: JobOptions): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new SpliceError('mirror/closed', 'the mirror was closed', { mistake: false }))
    const cancelled = new SharedArrayBuffer(4)
    const cancel = () => Atomics.store(new Int32Array(cancelled), 0, 1)
    if (signal?.aborted === true) cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    return new Promise((resolve, reject) => {
      const worker = new Worker(threadEntry('mirror-writer'), {
        workerData: { file: this.#file, job, cancelled },
        resourceLimits: { maxYoungGenerationSizeMb: youngMegabytes }
      })
      this.#workers.add(worker)
      let outcome: (() => void) | null = null
      worker.on('message', raw => {
        const message = fromWriter.parse(raw)
        if (message.type === 'import-progress') onImportProgress?.(message.progress)
        else if (message.type === 'progress') onProgress?.(message.progress)
        else if (message.type === 'file') onFile?.(message.name, message)
        else if (message.type === 'result') outcome = () => resolve(message.result)
        else outcome = () => reject(SpliceError.fromData(message.error))
      })
      worker.on('error', thrown => {
        outcome ??= () => reject(thrown)
      })
      // The next job begins when this one's connection is closed.
      worker.on('exit', () => {
        this.#workers.delete(worker)
        signal?.removeEventListener('abort', cancel)
        if (outcome !== null) outcome()
        else
          reject(new SpliceError('mirror/ended', `the ${job.kind} ended before it was done`, { mistake: false, hint: 'Start it again.' }))
      })
      onStart?.(message => worker.postMessage(message))
    })
  }

  /** Ends work between two transactions. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#workers].map(worker => worker.terminate()))
    await this.#last
  }
}
