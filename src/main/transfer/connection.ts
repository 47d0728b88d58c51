/**
 * The one place that sends network requests, and only because a person asked for it. Proxies are those of the environment; a
 * connection that fails becomes an error that says what to do.
 */
import http from 'node:http'
import packageJson from '../../../package.json' with { type: 'json' }
import { SpliceError } from '../../contract/errors.ts'

/** How long a server may take to begin its answer, in ms. */
const answerTimeout = 30_000

/** Whose requests they are. */
export interface Service {
  /** The first part of its errors' kinds. */
  readonly area: 'hub' | 'sync'
  /** What its work is called where it was cancelled. */
  readonly work: string
  /** What to do after a connection broke. */
  readonly afterBreak: string
}

const unreachable: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name cannot be looked up',
  EAI_AGAIN: 'its name cannot be looked up',
  ECONNREFUSED: 'it refuses connections',
  ENETUNREACH: 'there is no network',
  EHOSTUNREACH: 'there is no way to it',
  ENETDOWN: 'the network is down',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  ECONNRESET: 'the connection broke',
  UND_ERR_SOCKET: 'the connection broke',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is not trusted (NODE_EXTRA_CA_CERTS names one of your own)',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is not trusted (NODE_EXTRA_CA_CERTS names one of your own)'
}

/** The code of a failed request, which Node puts into causes. */
function codeOf(thrown: unknown): string {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if ('code' in error && typeof error.code === 'string') return error.code
    if (error instanceof AggregateError) {
      const inner = error.errors.find(one => one instanceof Error && 'code' in one)
      if (inner !== undefined) return String(inner.code)
    }
  }
  return ''
}

/** Errors after which the same request may well succeed: a network that comes and goes is one while a download is under way. */
export function isPassing({ area }: Service, error: unknown): boolean {
  return (
    error instanceof SpliceError &&
    !error.mistake &&
    ['cut', 'stalled', 'busy', 'server', 'offline'].some(end => error.kind === `${area}/${end}`)
  )
}

/** A failed connection in words. `wasAnswering` tells a connection that broke from one that never was. */
export function connectionError({ area, afterBreak }: Service, url: string, thrown: unknown, wasAnswering: boolean): SpliceError {
  const host = new URL(url).host
  const code = codeOf(thrown)
  if (wasAnswering) {
    return new SpliceError(`${area}/cut`, `${host} broke the connection (${code || 'no more bytes came'})`, {
      hint: afterBreak,
      mistake: false,
      cause: thrown
    })
  }
  return new SpliceError(`${area}/offline`, `${host} cannot be reached: ${unreachable[code] ?? (code || 'the request failed')}`, {
    hint: 'Check the network. Everything on this disk works without it.',
    mistake: false,
    cause: thrown
  })
}

/** The cancellation of a service's work. */
export function cancellation({ area, work }: Service): SpliceError {
  return new SpliceError(`${area}/cancelled`, `the ${work} was cancelled`, { mistake: false })
}

let proxyIsSet = false

/** Takes HTTPS_PROXY and the like as Python does; Node reads them only when told to. */
function useProxyOfEnvironment(): void {
  if (proxyIsSet) return
  proxyIsSet = true
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy']
  if (names.some(name => (process.env[name] ?? '') !== '')) http.setGlobalProxyFromEnv()
}

/**
 * Sends a request and gives the answer, whatever its status, once its head is here. Throws `<area>/offline` when there is no way to
 * the host, `<area>/cancelled` when the signal ended it.
 */
export async function send(
  service: Service,
  url: string,
  { signal, headers }: { readonly signal?: AbortSignal | undefined; readonly headers?: Readonly<Record<string, string>> }
): Promise<Response> {
  useProxyOfEnvironment()
  if (signal?.aborted) throw cancellation(service)
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })), answerTimeout)
  try {
    return await fetch(url, {
      signal: signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]),
      headers: { 'user-agent': `splice/${packageJson.version}`, ...headers }
    })
  } catch (thrown) {
    if (signal?.aborted) throw cancellation(service)
    throw connectionError(service, url, thrown, false)
  } finally {
    clearTimeout(timer)
  }
}

/** Reads the next bytes of an answer, with a limit on how long nothing may come, in ms. Throws `<area>/stalled`, `/cut`, `/cancelled`. */
export async function readChunk(
  service: Service,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  url: string,
  { signal, patience }: { readonly signal: AbortSignal | undefined; readonly patience: number }
) {
  let timer: NodeJS.Timeout | undefined
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const host = new URL(url).host
      reject(new SpliceError(`${service.area}/stalled`, `${host} sends nothing any more`, { hint: service.afterBreak, mistake: false }))
    }, patience)
  })
  try {
    return await Promise.race([reader.read(), stalled])
  } catch (thrown) {
    if (signal?.aborted) throw cancellation(service)
    throw thrown instanceof SpliceError ? thrown : connectionError(service, url, thrown, true)
  } finally {
    clearTimeout(timer)
  }
}
