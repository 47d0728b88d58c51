/** Trying again: longer and longer apart, never all at the same moment, and not before the server wants it. */
import { setTimeout as wait } from 'node:timers/promises'
import { cancelled, PassingError } from './service.ts'

export interface Patience {
  /** Tries in a row that bring nothing before it fails. */
  readonly tries: number
  /** The first wait at its longest, in ms; each next one may be twice as long. */
  readonly firstWait: number
  readonly longestWait: number
}

export const defaultPatience: Patience = { tries: 7, firstWait: 500, longestWait: 30_000 }

/** How long to wait before try `failed + 1`, in ms: anything up to a limit that doubles (full jitter). */
export function waitBefore(failed: number, { firstWait, longestWait }: Patience, random = Math.random): number {
  return random() * Math.min(longestWait, firstWait * 2 ** Math.max(0, failed - 1))
}

/**
 * Does `work` until it succeeds. `progressed` says whether a try that failed brought something on, as bytes of a file do: then the
 * count begins anew. Throws what does not pass, and the last failure.
 */
export async function withRetries<Result>(
  work: () => Promise<Result>,
  options: {
    readonly signal: AbortSignal | undefined
    readonly patience: Patience
    progressed?(): boolean
    onWait?(failure: PassingError, ms: number): void
  }
): Promise<Result> {
  const { signal, patience } = options
  for (let failed = 0; ; ) {
    try {
      return await work()
    } catch (thrown) {
      if (!(thrown instanceof PassingError)) throw thrown
      if (signal?.aborted) throw cancelled()
      failed = options.progressed?.() === true ? 1 : failed + 1
      if (failed >= patience.tries) throw thrown.error
      const pause = Math.max(thrown.after ?? 0, waitBefore(failed, patience))
      options.onWait?.(thrown, pause)
      await wait(pause, undefined, signal === undefined ? {} : { signal }).catch(() => {
        throw cancelled()
      })
    }
  }
}
