/**
 * Who may talk to the host: this machine's own pages alone. The token is known from the printed URL; after that a cookie
 * stands for it, with a secret of its own: a browser sends cookies to every port of a name, and what another server there might see
 * of it is not the token. Host must be a name of loopback, with any port since an SSH tunnel changes it, and a socket's Origin its
 * own page.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const loopbackHost = /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

/** What browsers say of a request that another site, or another port of this name, has a page send. */
const foreignSites = new Set(['cross-site', 'same-site'])

export class Access {
  readonly token = randomBytes(32).toString('base64url')
  readonly #secret = randomBytes(32).toString('base64url')
  /** Named after this instance, so that two hosts on one name do not take each other's. */
  readonly #cookie = `splice-${randomBytes(6).toString('hex')}`

  /** Whether a request is meant for this machine: one Host, and no other in its first line. */
  isLoopback(request: IncomingMessage): boolean {
    const hosts = request.rawHeaders.filter((name, place) => place % 2 === 0 && name.toLowerCase() === 'host')
    return hosts.length === 1 && loopbackHost.test(request.headers.host ?? '')
  }

  /** Whether a page of another origin asks for something to use it: only to go there is it allowed. */
  isForeignUse(request: IncomingMessage): boolean {
    const { 'sec-fetch-site': site, 'sec-fetch-mode': mode } = request.headers
    return typeof site === 'string' && foreignSites.has(site) && mode !== 'navigate'
  }

  hasToken(token: string | null): boolean {
    return token !== null && equal(token, this.token)
  }

  hasCookie(request: IncomingMessage): boolean {
    const cookies = (request.headers.cookie ?? '').split(';').map(cookie => cookie.trim())
    const value = cookies.find(cookie => cookie.startsWith(`${this.#cookie}=`))?.slice(this.#cookie.length + 1)
    return value !== undefined && equal(value, this.#secret)
  }

  /** The header that sets the cookie, out of reach of scripts and of other sites. */
  get setCookie(): string {
    return `${this.#cookie}=${this.#secret}; HttpOnly; SameSite=Strict; Path=/`
  }

  /**
   * Why a request to the API is refused; null where it is not. Scripts send the token as a bearer; a page of this host has the
   * cookie, and must be its own.
   */
  refuseApi(request: IncomingMessage): { status: number; message: string } | null {
    if (!this.isLoopback(request)) return { status: 421, message: 'Splice answers to localhost alone.' }
    const { origin, authorization } = request.headers
    const isForeign = origin !== undefined && origin !== `http://${request.headers.host}`
    if (isForeign || this.isForeignUse(request)) return { status: 403, message: 'Another site may not ask this.' }
    if (this.hasToken(/^Bearer (\S+)$/i.exec(authorization ?? '')?.[1] ?? null)) return null
    if (origin !== undefined && this.hasCookie(request)) return null
    return { status: 401, message: 'Send Authorization: Bearer TOKEN, the token of the address that splice serve printed.' }
  }

  /** Why a WebSocket is refused, as an HTTP status line; null where it is not. */
  refuseSocket(request: IncomingMessage): string | null {
    if (!this.isLoopback(request)) return '421 Misdirected Request'
    if (request.method !== 'GET') return '405 Method Not Allowed'
    if (request.url !== '/rpc') return '404 Not Found'
    if (request.headers.origin !== `http://${request.headers.host}`) return '403 Forbidden'
    return this.hasCookie(request) ? null : '401 Unauthorized'
  }
}
