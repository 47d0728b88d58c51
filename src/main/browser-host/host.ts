/**
 * The browser host: the same engine and the same page, served on loopback to an ordinary browser. A token in the printed URL
 * is exchanged for a cookie; frames pass between WebSocket and engine unread.
 */
import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { WebSocketServer } from 'ws'
import { errorData, SpliceError } from '../../contract/errors.ts'
import { type EngineDeath, EngineSupervisor } from '../engine/supervisor.ts'
import { Access } from './access.ts'
import { HttpApi } from './api/http-api.ts'
import { openBrowser } from './browser.ts'
import { pageFolder, readPage, servePage } from './page.ts'
import { relaySocket } from './relay.ts'

export interface BrowserHostOptions {
  /** 0 takes any free port. */
  readonly port: number
  /** Opens the default browser where there is a display. */
  readonly open: boolean
  /** The mirror's file; the home's by default. */
  readonly db?: string
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
export async function startBrowserHost({ port, open, db }: BrowserHostOptions): Promise<BrowserHost> {
  const page = readPage(pageFolder())
  const access = new Access()
  const sockets = new WebSocketServer({ noServer: true, maxPayload: largestFrame, perMessageDeflate: false })
  let api: HttpApi | null = null
  const server = createServer({ requestTimeout: 10_000, maxHeaderSize: 16 * 1024 }, (request, response) => {
    if (api?.isAsked(request) === true) void api.serve(request, response)
    else servePage(request, response, page, access)
  })
  const address = await listen(server, port)
  let engine: EngineSupervisor
  try {
    engine = await startEngine(db)
  } catch (thrown) {
    server.close()
    throw thrown
  }
  api = new HttpApi(engine, access)
  server.on('upgrade', (request, socket, head) => {
    // A peer that goes away while it is refused is no event.
    socket.on('error', () => socket.destroy())
    const refusal = access.refuseSocket(request)
    if (refusal !== null) {
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    sockets.handleUpgrade(request, socket, head, webSocket => relaySocket(webSocket, randomBytes(12).toString('hex'), engine))
  })
  const url = `${address}/?token=${access.token}`
  if (open) openBrowser(url)
  return {
    url,
    async close() {
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      api?.close()
      await engine.close()
    }
  }
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
async function startEngine(db: string | undefined): Promise<EngineSupervisor> {
  return await new Promise((resolve, reject) => {
    let isOpen = false
    const supervisor = new EngineSupervisor({
      node: process.execPath,
      db,
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
