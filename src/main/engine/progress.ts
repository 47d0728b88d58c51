/** Long work as the contract streams it: its progress, then its result. Ending the iteration early cancels the work. */
import { EventQueue } from './event-queue.ts'

export type Progress = { type: 'progress'; stage: string; fraction: number }

/** Starts `work` with a signal and a place to tell events; yields them, then what `resultOf` makes of what it gives. */
export async function* withEvents<Event, Result, Last>(
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal, tell: (event: Event) => void) => Promise<Result>,
  resultOf: (result: Result) => Last
): AsyncGenerator<Event | Last, void> {
  const abort = new AbortController()
  const events = new EventQueue<Event>()
  const cancel = () => abort.abort()
  signal?.addEventListener('abort', cancel, { once: true })
  const working = work(abort.signal, event => events.push(event)).finally(() => events.close())
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

/** The same for work that reports a stage and how far it is. */
export function withProgress<Result, Last>(
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal, onProgress: (stage: string, fraction: number) => void) => Promise<Result>,
  resultOf: (result: Result) => Last
): AsyncGenerator<Progress | Last, void> {
  return withEvents<Progress, Result, Last>(
    signal,
    (working, tell) => work(working, (stage, fraction) => tell({ type: 'progress', stage, fraction })),
    resultOf
  )
}
