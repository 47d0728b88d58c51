/**
 * The mirror's readers: a few threads that share what is asked, longest waiting first. Searches and all else (what runs ask of features,
 * counts for the status) take turns, so that neither keeps the other waiting; where too many searches wait, the oldest is dropped.
 */
import { Worker } from 'node:worker_threads'
import { SpliceError } from '../../contract/errors.ts'
import { type Answers, fromReader, type Question, type ToReader } from './reader-messages.ts'
import { threadEntry } from './thread-entry.ts'

/** How many searches may wait; nobody looks at the hits of one that so many came after. */
export const mostSearches = 64
/** How many other questions may wait. */
const mostQuestions = 1024

interface Asked {
  readonly message: ToReader
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}

interface Reader {
  readonly worker: Worker
  asked: Asked | null
}

function isSearch(kind: Question['kind']): boolean {
  return kind === 'search' || kind === 'count' || kind === 'similar'
}

export class ReaderPool {
  readonly #file: string
  readonly #size: number
  readonly #readers: Reader[] = []
  readonly #waiting = { searches: [] as Asked[], others: [] as Asked[] }
  /** Which of them is first in turn. */
  #next: 'searches' | 'others' = 'others'
  #nextId = 1
  #closed = false

  constructor(file: string, size: number) {
    this.#file = file
    this.#size = size
  }

  /**
   * Asks; an aborted `signal` ends the question as `search/cancelled`. Throws what the reader throws, `search/dropped` where too many
   * searches came after this one, `mirror/busy` where too much else waits.
   */
  ask<Kind extends Question['kind']>(question: Extract<Question, { kind: Kind }>, signal?: AbortSignal): Promise<Answers[Kind]> {
    const cancelled = new SharedArrayBuffer(4)
    const waiting = this.#waiting[isSearch(question.kind) ? 'searches' : 'others']
    return new Promise((resolve, reject) => {
      const stop = () => {
        Atomics.store(new Int32Array(cancelled), 0, 1)
        const place = waiting.findIndex(other => other.message === message)
        if (place === -1) return
        waiting.splice(place, 1)
        reject(new SpliceError('search/cancelled', 'the search was cancelled'))
      }
      const message: ToReader = { id: this.#nextId, question, cancelled }
      this.#nextId += 1
      const done = () => signal?.removeEventListener('abort', stop)
      waiting.push({
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
      this.#drop()
    })
  }

  /** Ends what is too much: the oldest search, else the newest question. */
  #drop(): void {
    const { searches, others } = this.#waiting
    while (searches.length > mostSearches) {
      searches.shift()?.reject(
        new SpliceError('search/dropped', `the search was dropped: ${mostSearches} newer ones were waiting`, {
          mistake: false,
          hint: 'Search again.'
        })
      )
    }
    while (others.length > mostQuestions) {
      others.pop()?.reject(
        new SpliceError('mirror/busy', `${mostQuestions} questions to the mirror are waiting already`, {
          mistake: false,
          hint: 'Ask again later.'
        })
      )
    }
  }

  /** Takes what is first in turn. */
  #take(): Asked | undefined {
    const first = this.#waiting[this.#next]
    this.#next = this.#next === 'searches' ? 'others' : 'searches'
    return first.shift() ?? this.#waiting[this.#next].shift()
  }

  #assign(): void {
    if (this.#closed) return
    while (this.#waiting.searches.length + this.#waiting.others.length > 0) {
      const reader = this.#readers.find(({ asked }) => asked === null) ?? (this.#readers.length < this.#size ? this.#start() : null)
      if (reader === null) return
      const next = this.#take()
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
    for (const waiting of Object.values(this.#waiting)) for (const { reject } of waiting.splice(0)) reject(closed)
    await Promise.all(this.#readers.map(({ worker }) => worker.terminate()))
  }
}
