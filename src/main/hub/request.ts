/**
 * Requests to the hub. Whatever it answers but success becomes an error that says what to do; a token goes to the hub itself and to
 * nobody else, and into no message.
 */
import { SpliceError } from '../../contract/errors.ts'
import { cancellation, type Service, send } from '../transfer/connection.ts'
import { hubEndpoint, offlineVariable } from './environment.ts'

export interface RequestOptions {
  /** What is asked for, as the subject of an error's sentence, e.g. `google/gemma-2-2b`. */
  readonly what: string
  readonly signal?: AbortSignal | undefined
  /** Sent to the hub's own address alone. */
  readonly token?: string | null
  readonly headers?: Readonly<Record<string, string>>
}

/** The hub, as whoever sends requests knows it. */
export const hub: Service = {
  area: 'hub',
  work: 'download',
  afterBreak: 'Start the download again; it goes on where it stopped.'
}

/** The cancellation of a request. */
export function cancelled(): SpliceError {
  return cancellation(hub)
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
  const { signal, token, headers } = options
  const isHub = new URL(url).origin === new URL(hubEndpoint()).origin
  // Over a redirect to another host, fetch drops the token.
  const authorization: Record<string, string> = isHub && token != null ? { authorization: `Bearer ${token}` } : {}
  const response = await send(hub, url, { signal, headers: { ...headers, ...authorization } })
  if (response.ok || maySay.includes(response.status)) return response
  throw await refusalOf(response, url, options)
}
