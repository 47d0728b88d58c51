/**
 * The one place that sends network requests, and only because a person asked for it. Whatever goes wrong becomes an error that says
 * what to do; a token goes to the hub itself and to nobody else, and into no message.
 */
import http from 'node:http'
import packageJson from '../../../package.json' with { type: 'json' }
import { SpliceError } from '../../contract/errors.ts'
import { hubEndpoint, offlineVariable } from './environment.ts'

/** How long a server may take to begin its answer, in ms. */
const answerTimeout = 30_000

export interface RequestOptions {
  /** What is asked for, as the subject of an error's sentence, e.g. `google/gemma-2-2b`. */
  readonly what: string
  readonly signal?: AbortSignal | undefined
  /** Sent to the hub's own address alone. */
  readonly token?: string | null
  readonly headers?: Readonly<Record<string, string>>
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
export function isPassing(error: unknown): boolean {
  return (
    error instanceof SpliceError &&
    !error.mistake &&
    ['hub/cut', 'hub/stalled', 'hub/busy', 'hub/server', 'hub/offline'].includes(error.kind)
  )
}

/** A failed connection in words. `wasAnswering` tells a connection that broke from one that never was. */
export function connectionError(url: string, thrown: unknown, wasAnswering: boolean): SpliceError {
  const host = new URL(url).host
  const code = codeOf(thrown)
  if (wasAnswering) {
    return new SpliceError('hub/cut', `${host} broke the connection (${code || 'no more bytes came'})`, {
      hint: 'Start the download again; it goes on where it stopped.',
      mistake: false,
      cause: thrown
    })
  }
  return new SpliceError('hub/offline', `${host} cannot be reached: ${unreachable[code] ?? (code || 'the request failed')}`, {
    hint: 'Check the network. Everything on this disk works without it.',
    mistake: false,
    cause: thrown
  })
}

/** The cancellation of a request. */
export function cancelled(): SpliceError {
  return new SpliceError('hub/cancelled', 'the download was cancelled', { mistake: false })
}

const tokenHint =
  "Accept its conditions on its page, then give your account's token: by HF_TOKEN, `hf auth login`, or under Download in the library."

/** What an answer other than success means, by its status and by the hub's X-Error-Code. */
async function refusalOf(response: Response, url: string, options: RequestOptions): Promise<SpliceError> {
  const { what, token } = options
  const { status } = response
  const host = new URL(url).host
  const code = response.headers.get('x-error-code') ?? ''
  await response.body?.cancel()
  const refuse = (kind: string, message: string, hint: string, mistake = true) =>
    new SpliceError(kind, `${host} says ${status}: ${message}`, { hint, mistake })
  const hasToken = token != null
  if (code === 'GatedRepo' || (status === 403 && code === '')) {
    const hint = hasToken
      ? "Accept its conditions on its page with the token's account, or use the token of one that has access."
      : tokenHint
    return refuse('hub/gated', `${what} is gated${hasToken ? ' and the token has no access to it' : ''}`, hint)
  }
  if (code === 'RevisionNotFound')
    return refuse('hub/no-revision', `${what} has no such revision`, 'Check the branch, tag or commit after @.')
  if (code === 'EntryNotFound') return refuse('hub/no-file', `${what} has no such file`, 'Check the path.')
  if (status === 401 && hasToken && code !== 'RepoNotFound') {
    return refuse('hub/token', 'the token is not valid', 'Make a new one on the hub, under Settings, Access Tokens.')
  }
  if (status === 401 || (status === 404 && code === 'RepoNotFound')) {
    const hint = hasToken
      ? 'Check the name, and that the token may read it.'
      : 'Check the name. If it is private, give the token of an account that may read it: HF_TOKEN, `hf auth login`, or under Download in the library.'
    return refuse('hub/not-found', `there is no ${what}, or it is not public`, hint)
  }
  if (status === 404) return refuse('hub/no-file', `${what} is not there`, 'Check the name.')
  if (status === 429) return refuse('hub/busy', 'too many requests', 'Wait a minute and start again; it goes on where it stopped.', false)
  return refuse(
    'hub/server',
    `${what} cannot be had now`,
    'Start again later; a download goes on where it stopped.',
    status < 500 && status !== 408
  )
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
 * Sends a request and gives the answer once its head is here. Throws `hub/offline` when there is no way to the host, `hub/...` for
 * every status but success, `hub/cancelled` when the signal ended it. `maySay` are further statuses that the caller understands.
 */
export async function request(url: string, options: RequestOptions, maySay: readonly number[] = []): Promise<Response> {
  const forbids = offlineVariable()
  if (forbids !== null) {
    throw new SpliceError('hub/offline', `${forbids} forbids network requests`, {
      field: forbids,
      hint: `Unset ${forbids} to download.`
    })
  }
  useProxyOfEnvironment()
  const { signal, token, headers } = options
  if (signal?.aborted) throw cancelled()
  const isHub = new URL(url).origin === new URL(hubEndpoint()).origin
  const timeout = new AbortController()
  const timer = setTimeout(() => timeout.abort(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })), answerTimeout)
  let response: Response
  try {
    response = await fetch(url, {
      signal: signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]),
      headers: {
        'user-agent': `splice/${packageJson.version}`,
        ...headers,
        // Over a redirect to another host, fetch drops it.
        ...(isHub && token != null ? { authorization: `Bearer ${token}` } : {})
      }
    })
  } catch (thrown) {
    if (signal?.aborted) throw cancelled()
    throw connectionError(url, thrown, false)
  } finally {
    clearTimeout(timer)
  }
  if (response.ok || maySay.includes(response.status)) return response
  throw await refusalOf(response, url, options)
}
