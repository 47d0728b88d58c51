/** Long work as the contract streams it: its progress, then its result. Ending the iteration early cancels the work. */
import { EventQueue } from './event-queue.ts'

export type Progress = { type: 'progress'; stage: string; fraction: number }

/** Starts `work` with a signal and a place to report to; yields its reports, then what it gives. */
export async function* streamWork<Report, Last>(
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal, report: (event: Report) => void) => Promise<Last>
): AsyncGenerator<Report | Last, void> {
  const abort = new AbortController()
  const events = new EventQueue<Report>()
  const cancel = () => abort.abort()
  signal?.addEventListener('abort', cancel, { once: true })
  const working = work(abort.signal, event => events.push(event)).finally(() => events.close())
  // The queue ends first; the error is thrown where the result is awaited.
  working.catch(() => undefined)
  try {
    yield* events
    yield await working
  } finally {
    signal?.removeEventListener('abort', cancel)
    abort.abort()
  }
}

/** The same for work that reports stages and how far they are; what it gives becomes the last event by `resultOf`. */
export function withProgress<Result, Last>(
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal, onProgress: (stage: string, fraction: number) => void) => Promise<Result>,
  resultOf: (result: Result) => Last
): AsyncGenerator<Progress | Last, void> {
  return streamWork<Progress, Last>(signal, async (abort, report) =>
    resultOf(await work(abort, (stage, fraction) => report({ type: 'progress', stage, fraction })))
  )
}
