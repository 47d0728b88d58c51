/**
 * Electron's protocol and net for schemes of an app's own. Chromium itself knows no such scheme, so a server on loopback stands for
 * each origin of it: pages see that server's address, the app sees its own.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { checkOptions } from './strict.ts'

type Handler = (request: Request) => Response | Promise<Response>

const handlers = new Map<string, Handler>()
const privileged = new Set<string>()
/** Servers' origins by the app's, such as splice://app. */
const servers = new Map<string, { origin: string; server: Server }>()
let isReady = false

/** Call when the app gets ready: schemes are privileged before, or not at all. */
export function closePrivileges(): void {
  isReady = true
}

function schemeOf(url: string): string {
  return new URL(url).protocol.slice(0, -1)
}

async function ask(url: string, method: string): Promise<Response> {
  const handle = handlers.get(schemeOf(url))
  if (handle === undefined) throw new Error(`net::ERR_UNKNOWN_URL_SCHEME (${url})`)
  return handle(new Request(url, { method }))
}

/** The address under which Chromium has a page: the app's own, but for the schemes of the app. Throws for a scheme that nobody answers. */
export async function toBrowser(url: string): Promise<string> {
  const { protocol: scheme, host, pathname, search, hash } = new URL(url)
  if (['http:', 'https:', 'data:', 'about:'].includes(scheme)) return url
  if (!privileged.has(schemeOf(url))) throw new Error(`the scheme ${scheme} is not registered as standard and secure`)
  const own = `${scheme}//${host}`
  const known = servers.get(own) ?? (await serve(own))
  servers.set(own, known)
  return `${known.origin}${pathname}${search}${hash}`
}

/** The app's own address of what Chromium has. */
export function fromBrowser(url: string): string {
  for (const [own, { origin }] of servers) if (url === origin || url.startsWith(`${origin}/`)) return own + url.slice(origin.length)
  return url
}

async function serve(own: string): Promise<{ origin: string; server: Server }> {
  const server = createServer((request, response) => {
    void ask(`${own}${request.url}`, request.method ?? 'GET').then(
      answer => {
        response.writeHead(answer.status, Object.fromEntries(answer.headers))
        if (answer.body === null) response.end()
        else Readable.fromWeb(answer.body as Parameters<typeof Readable.fromWeb>[0]).pipe(response)
      },
      () => response.destroy()
    )
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { origin: `http://127.0.0.1:${port}`, server }
}

export const protocol = {
  registerSchemesAsPrivileged(schemes: { scheme: string; privileges: Record<string, boolean> }[]): void {
    if (isReady) throw new Error('schemes are registered before the app is ready')
    for (const { scheme, privileges } of schemes) {
      checkOptions(privileges, 'Privileges')
      const { standard, secure, bypassCSP, ...others } = privileges
      if (bypassCSP === true) throw new Error(`${scheme} goes by no content security policy`)
      if (others.allowServiceWorkers === true || others.corsEnabled === true) throw new Error(`${scheme} has more privileges than it needs`)
      if (standard === true && secure === true) privileged.add(scheme)
    }
  },
  handle(scheme: string, handler: Handler): void {
    if (!isReady) throw new Error('protocol.handle is called when the app is ready')
    if (handlers.has(scheme)) throw new Error(`${scheme} is handled already`)
    handlers.set(scheme, handler)
  }
}

export const net = {
  fetch: (url: string, { method = 'GET' }: { method?: string } = {}) => ask(url, method)
}
