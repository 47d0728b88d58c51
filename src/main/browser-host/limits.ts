/** How much the host takes of whom: requests and frames by the second, and connections at a time. What is over is refused, in words. */

/** Lets `perSecond` through on the average, and `burst` at once. */
export class RateLimit {
  readonly #perSecond: number
  readonly #burst: number
  readonly #now: () => number
  #left: number
  #at: number

  /** `now` gives ms. */
  constructor(perSecond: number, burst: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#now = now
    this.#left = burst
    this.#at = now()
  }

  /** Whether one more may pass. */
  take(): boolean {
    const now = this.#now()
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) / 1000) * this.#perSecond)
    this.#at = now
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}

/**
 * Bounds of one host. A page asks some ten times a second at most and a script as fast as it is answered, which is below a thousand
 * times; whoever is faster is broken, and would fill the engine's memory with what waits.
 */
export const usualLimits = {
  /** TCP connections, those that have not said yet who they are among them. */
  connections: 256,
  /** WebSockets, one a tab. */
  sockets: 64,
  requestsPerSecond: 1000,
  requestsAtOnce: 2000,
  framesPerSecond: 2000,
  framesAtOnce: 10_000,
  /** How long a request's head may take, and all of it; ms. A body of 16 MB may come through a slow tunnel. */
  headMs: 10_000,
  requestMs: 120_000,
  /** How often it is looked for those that take longer, ms. */
  lookEveryMs: 1000,
  /** How often a tab has to give a sign of life, ms; browsers do it by themselves. */
  signOfLifeMs: 30_000,
  /** Bytes that wait for the engine before a socket is read no further, and for a tab before it is given up. */
  waitingForEngine: 32 * 1024 * 1024,
  waitingForTab: 512 * 1024 * 1024
}
export type HostLimits = Readonly<typeof usualLimits>
