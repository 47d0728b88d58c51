/** Long work as the contract streams it: its progress, then its result. Ending the iteration early cancels the work. */
import { EventQueue } from './event-queue.ts'

export type Progress = { type: 'progress'; stage: string; fraction: number }

/** Starts `work` with a signal and a place to report to; yields its reports, then what `resultOf` makes of what it gives. */
export async function* withProgress<Result, Last>(
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal, onProgress: (stage: string, fraction: number) => void) => Promise<Result>,
  resultOf: (result: Result) => Last
): AsyncGenerator<Progress | Last, void> {
  const abort = new AbortController()
  const events = new EventQueue<Progress>()
  const cancel = () => abort.abort()
  signal?.addEventListener('abort', cancel, { once: true })
  const working = work(abort.signal, (stage, fraction) => events.push({ type: 'progress', stage, fraction })).finally(() => events.close())
  // The queue ends first; the error is thrown where the result is awaited.
  working.catch(() => undefined)
  try {
    yield* events
    yield resultOf(await working)
  } finally {
    signal?.removeEventListener('abort', cancel)
    abort.abort()
  }
}
