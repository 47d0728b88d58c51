/**
 * The browser host: the same engine and the same page, served on loopback to an ordinary browser. A token in the printed URL
 * is exchanged for a cookie; frames pass between WebSocket and engine unread.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import { WebSocketServer } from 'ws'
import { errorData, SpliceError } from '../../contract/errors.ts'
import { type EngineDeath, EngineSupervisor } from '../engine/supervisor.ts'
import { Access } from './access.ts'
import { HttpApi } from './api/http-api.ts'
import { openBrowser } from './browser.ts'
import { type HostLimits, RateLimit, usualLimits } from './limits.ts'
import { pageFolder, readPage, servePage } from './page.ts'
import { relaySocket, watchSockets } from './relay.ts'

export interface BrowserHostOptions {
  /** 0 takes any free port. */
  readonly port: number
  /** Opens the default browser where there is a display. */
  readonly open: boolean
  /** The mirror's file; the home's by default. */
  readonly db?: string
  /** The folders that pages and scripts may name paths in; any path without it. */
  readonly only?: readonly string[]
  /** Others than the usual ones. */
  readonly limits?: Partial<HostLimits>
}

export interface BrowserHost {
  /** With the token; good until the host ends. */
  readonly url: string
  close(): Promise<void>
}

/** Largest frame that a page may send, in bytes. */
const largestFrame = 16 * 1024 * 1024

/**
 * Starts engine and server; settles when both answer. Throws `serve/not-built`, `serve/port` where the port cannot be had, and
 * what keeps the engine from opening.
 */
export async function startBrowserHost({ port, open, db, only, limits: others }: BrowserHostOptions): Promise<BrowserHost> {
  const limits = { ...usualLimits, ...others }
  const page = readPage(pageFolder())
  const access = new Access()
  const sockets = new WebSocketServer({ noServer: true, maxPayload: largestFrame, perMessageDeflate: false })
  let api: HttpApi | null = null
  const rate = new RateLimit(limits.requestsPerSecond, limits.requestsAtOnce)
  const server = createServer(serverOptions(limits), (request, response) => {
    if (!rate.take()) refuseHurry(response)
    else if (api?.isAsked(request) === true) void api.serve(request, response).catch(() => response.destroy())
    else servePage(request, response, page, access)
  })
  server.maxConnections = limits.connections
  const address = await listen(server, port)
  let engine: EngineSupervisor
  try {
    engine = await startEngine(db, only)
  } catch (thrown) {
    server.close()
    throw thrown
  }
  api = new HttpApi(engine, access)
  server.on('upgrade', (request, socket, head) => {
    // A peer that goes away while it is refused is no event.
    socket.on('error', () => socket.destroy())
    const isFull = sockets.clients.size >= limits.sockets
    const refusal = access.refuseSocket(request) ?? (isFull ? '503 Service Unavailable' : null)
    if (refusal !== null) {
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    sockets.handleUpgrade(request, socket, head, webSocket => relaySocket(webSocket, randomBytes(12).toString('hex'), engine, limits))
  })
  const stopWatching = watchSockets(sockets.clients, limits)
  const url = `${address}/?token=${access.token}`
  if (open) openBrowser(url)
  return {
    url,
    async close() {
      stopWatching()
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      api?.close()
      await engine.close()
    }
  }
}

/** Whoever does not say in time what it wants is let go; what is no plain HTTP/1.1 is refused by the parser. */
function serverOptions(limits: HostLimits): ServerOptions {
  return {
    maxHeaderSize: 16 * 1024,
    headersTimeout: limits.headMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.lookEveryMs,
    requireHostHeader: true,
    insecureHTTPParser: false
  }
}

function refuseHurry(response: ServerResponse): void {
  const headers = {
    'Content-Type': 'text/plain; charset=utf-8',
    'Retry-After': '1',
    'X-Content-Type-Options': 'nosniff',
    Connection: 'close'
  }
  response.writeHead(429, headers).end('Too many requests at once.\n')
}

/** Listens on loopback and says under which address. */
async function listen(server: Server, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: Error) =>
      reject(
        new SpliceError('serve/port', `port ${port} cannot be had: ${error.message}`, {
          field: '--port',
          hint: 'Leave --port out, or name another.',
          cause: error
        })
      )
    server.once('error', refuse)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', refuse)
      resolve()
    })
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : port}`
}

/** Starts the engine and waits until it answers. Throws what it says where it cannot open. */
async function startEngine(db: string | undefined, only: readonly string[] | undefined): Promise<EngineSupervisor> {
  return await new Promise((resolve, reject) => {
    let isOpen = false
    const supervisor = new EngineSupervisor({
      node: process.execPath,
      db,
      ...(only === undefined ? {} : { only }),
      onReady: () => {
        if (isOpen) process.stderr.write('splice: engine restarted\n')
        isOpen = true
        resolve(supervisor)
      },
      onDeath: death => {
        if (!isOpen && death.isFinal) reject(asError(death))
        else process.stderr.write(`splice: the engine ended (${death.reason})${death.isFinal ? ' too often; restart splice serve' : ''}\n`)
      }
    })
    supervisor.start()
  })
}

function asError({ reason, error }: EngineDeath): SpliceError {
  const data = errorData.safeParse(error)
  if (data.success) return SpliceError.fromData(data.data)
  return new SpliceError('engine/died', `the engine does not start: ${reason}`, { mistake: false })
}
