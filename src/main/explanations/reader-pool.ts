/** The mirror's readers: a few threads that share what is asked, longest waiting first. */
import { Worker } from 'node:worker_threads'
import { SpliceError } from '../../contract/errors.ts'
import { type Answers, fromReader, type Question, type ToReader } from './reader-messages.ts'
import { threadEntry } from './thread-entry.ts'

interface Asked {
  readonly message: ToReader
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}

interface Reader {
  readonly worker: Worker
  asked: Asked | null
}

export class ReaderPool {
  readonly #file: string
  readonly #size: number
  readonly #readers: Reader[] = []
  readonly #waiting: Asked[] = []
  #nextId = 1
  #closed = false

  constructor(file: string, size: number) {
    this.#file = file
    this.#size = size
  }

  /** Asks; an aborted `signal` ends the question as `search/cancelled`. Throws what the reader throws. */
  ask<Kind extends Question['kind']>(question: Extract<Question, { kind: Kind }>, signal?: AbortSignal): Promise<Answers[Kind]> {
    const cancelled = new SharedArrayBuffer(4)
    return new Promise((resolve, reject) => {
      const stop = () => {
        Atomics.store(new Int32Array(cancelled), 0, 1)
        const place = this.#waiting.findIndex(waiting => waiting.message === message)
        if (place === -1) return
        this.#waiting.splice(place, 1)
        reject(new SpliceError('search/cancelled', 'the search was cancelled'))
      }
      const message: ToReader = { id: this.#nextId, question, cancelled }
      this.#nextId += 1
      const done = () => signal?.removeEventListener('abort', stop)
      this.#waiting.push({
        message,
        // A question's kind decides its answer: `answer` in reader-messages.ts.
        resolve: answer => {
          done()
          resolve(answer as Answers[Kind])
        },
        reject: error => {
          done()
          reject(error)
        }
      })
      if (signal?.aborted === true) stop()
      else signal?.addEventListener('abort', stop, { once: true })
      this.#assign()
    })
  }

  #assign(): void {
    if (this.#closed) return
    while (this.#waiting.length > 0) {
      const reader = this.#readers.find(({ asked }) => asked === null) ?? (this.#readers.length < this.#size ? this.#start() : null)
      if (reader === null) return
      const next = this.#waiting.shift()
      if (next === undefined) return
      reader.asked = next
      reader.worker.postMessage(next.message)
    }
  }

  #start(): Reader {
    const worker = new Worker(threadEntry('mirror-reader'), { workerData: { file: this.#file } })
    const reader: Reader = { worker, asked: null }
    this.#readers.push(reader)
    worker.on('message', raw => {
      const message = fromReader.parse(raw)
      const asked = reader.asked
      reader.asked = null
      if (asked !== null) {
        if ('error' in message) asked.reject(SpliceError.fromData(message.error))
        else asked.resolve(message.answer)
      }
      this.#assign()
    })
    const end = (error: unknown) => {
      const place = this.#readers.indexOf(reader)
      if (place !== -1) this.#readers.splice(place, 1)
      reader.asked?.reject(error)
      reader.asked = null
      this.#assign()
    }
    worker.on('error', end)
    worker.on('exit', () => end(new SpliceError('mirror/closed', 'the mirror was closed', { mistake: false })))
    return reader
  }

  async close(): Promise<void> {
    this.#closed = true
    const closed = new SpliceError('mirror/closed', 'the mirror was closed', { mistake: false })
    for (const { reject } of this.#waiting.splice(0)) reject(closed)
    await Promise.all(this.#readers.map(({ worker }) => worker.terminate()))
  }
}
