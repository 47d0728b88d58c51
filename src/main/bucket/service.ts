/** Neuronpedia's bulk bucket, as whoever sends requests knows it. */
import { SpliceError } from '../../contract/errors.ts'
import { cancellation, connectionError, isPassing, type Service, send } from '../transfer/connection.ts'

export const bucket: Service = {
  area: 'sync',
  work: 'sync',
  afterBreak: 'Sync again; it goes on where it stopped.'
}

/** The bucket `neuronpedia-datasets`: anonymous, in us-east-1. */
export const bucketAddress = 'https://neuronpedia-datasets.s3.us-east-1.amazonaws.com'

/** The cancellation of a sync. */
export function cancelled(): SpliceError {
  return cancellation(bucket)
}

/** An answer after which the same request may well succeed; `after` is how long the server wants to be left alone, in ms. */
export class PassingError extends Error {
  readonly error: SpliceError
  readonly after: number | null

  constructor(error: SpliceError, after: number | null) {
    super(error.message)
    this.error = error
    this.after = after
  }
}

/** Longest wait that a server may ask for, in ms. */
const longestRetryAfter = 60_000

/** How long a server wants to be left alone: Retry-After as seconds or as a date. Ms; null where it does not say. */
export function retryAfter(header: string | null, now = Date.now()): number | null {
  if (header === null) return null
  const wait = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isFinite(wait) ? Math.min(longestRetryAfter, Math.max(0, wait)) : null
}

/** What an answer other than success means. */
function refusalOf(status: number, url: string, what: string): { error: SpliceError; isPassing: boolean } {
  const host = new URL(url).host
  const refuse = (kind: string, message: string, hint: string, mistake: boolean) =>
    new SpliceError(`sync/${kind}`, `${host} says ${status}: ${message}`, { hint, mistake })
  if (status === 403) return { error: refuse('forbidden', `${what} may not be read`, 'Check the endpoint.', true), isPassing: false }
  if (status === 404)
    return { error: refuse('not-found', `${what} is not there`, 'Check the endpoint and the names.', true), isPassing: false }
  if (status === 429 || status === 503) {
    return {
      error: refuse('busy', 'too many requests', 'Sync again in a few minutes; it goes on where it stopped.', false),
      isPassing: true
    }
  }
  if (status >= 500 || status === 408) {
    return {
      error: refuse('server', `${what} cannot be had now`, 'Sync again later; it goes on where it stopped.', false),
      isPassing: true
    }
  }
  return { error: refuse('answer', `${what} cannot be had`, 'Check the endpoint.', true), isPassing: false }
}

/**
 * Sends a request and gives a successful answer, or one of the statuses that the caller understands. Throws `PassingError` where it
 * is worth while to try again, else `sync/...`.
 */
export async function ask(
  url: string,
  what: string,
  options: { readonly signal: AbortSignal | undefined; readonly headers?: Readonly<Record<string, string>> },
  maySay: readonly number[] = []
): Promise<Response> {
  let response: Response
  try {
    response = await send(bucket, url, options)
  } catch (thrown) {
    throw isPassing(bucket, thrown) && thrown instanceof SpliceError ? new PassingError(thrown, null) : thrown
  }
  if (response.ok || maySay.includes(response.status)) return response
  await response.body?.cancel().catch(() => undefined)
  const refusal = refusalOf(response.status, url, what)
  throw refusal.isPassing ? new PassingError(refusal.error, retryAfter(response.headers.get('retry-after'))) : refusal.error
}

/** A broken answer as an error that passes. */
export function broken(url: string, thrown: unknown): PassingError {
  const error = thrown instanceof SpliceError ? thrown : connectionError(bucket, url, thrown, true)
  return new PassingError(error, null)
}
