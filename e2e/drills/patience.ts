/** Waiting for what comes to hold by itself. */
import { setTimeout as wait } from 'node:timers/promises'

/** What a look counts for at most, in ms: a machine that stood still meanwhile gave nobody time. */
const longestLook = 500

/** Settles when `holds` gives true; throws with what `message` says by then after `patience` ms. */
export async function until(holds: () => boolean | Promise<boolean>, message: () => string, patience = 20_000): Promise<void> {
  let waited = 0
  let last = performance.now()
  while (!(await holds())) {
    if (waited > patience) throw new Error(message())
    await wait(20)
    const now = performance.now()
    waited += Math.min(longestLook, now - last)
    last = now
  }
}

/** What `work` gives; throws with `what` when it takes longer than `patience` ms. */
export async function within<Result>(work: Promise<Result>, what: string, patience = 60_000): Promise<Result> {
  const late = new AbortController()
  try {
    return await Promise.race([
      work,
      wait(patience, undefined, { signal: late.signal }).then(() => {
        throw new Error(`${what} took longer than ${patience / 1000} s`)
      })
    ])
  } finally {
    late.abort()
  }
}
