/** Work that is done one after the other. What waits is bounded, and leaves at once when it is cancelled. */
import { SpliceError } from '../../contract/errors.ts'

export class Turns {
  readonly #most: number
  #waiting = 0
  #last: Promise<void> = Promise.resolve()

  /** `most` is how many may wait. */
  constructor(most: number) {
    this.#most = most
  }

  /** Settles when all that was asked for so far has ended. */
  get end(): Promise<void> {
    return this.#last
  }

  /** Has what comes next wait for something else, whatever comes of it. */
  waitFor(other: Promise<unknown>): void {
    const before = this.#last
    this.#last = other.then(
      () => before,
      () => before
    )
  }

  /** Does `work` after what was asked for before. Throws what it throws, `run/queue-full`, or `cancelled()` where `signal` ends the wait. */
  take<Result>(work: () => Promise<Result>, signal: AbortSignal | undefined, cancelled: () => SpliceError): Promise<Result> {
    if (signal?.aborted) return Promise.reject(cancelled())
    if (this.#waiting >= this.#most) {
      return Promise.reject(
        new SpliceError('run/queue-full', `${this.#most} runs are waiting already; this one was not taken`, {
          mistake: false,
          hint: 'Ask again when some of them have ended, or cancel them.'
        })
      )
    }
    this.#waiting += 1
    return new Promise((resolve, reject) => {
      let isWaiting = true
      const leave = () => {
        isWaiting = false
        this.#waiting -= 1
        signal?.removeEventListener('abort', cancel)
      }
      const cancel = () => {
        leave()
        reject(cancelled())
      }
      signal?.addEventListener('abort', cancel, { once: true })
      this.#last = this.#last.then(async () => {
        if (!isWaiting) return
        leave()
        await work().then(resolve, reject)
      })
    })
  }
}
