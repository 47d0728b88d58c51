/**
 * The browser host: the same engine and the same page, served on loopback to an ordinary browser. A token in the printed URL
 * is exchanged for a cookie; frames pass between WebSocket and engine unread.
 */
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { SpliceError } from '../../contract/errors.ts'
import { EngineSupervisor } from '../engine/supervisor.ts'
import { Access } from './access.ts'
import { openBrowser } from './browser.ts'
import { pageFiles, servePage } from './page.ts'
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

/** Starts engine and server. Throws `serve/port` where the port cannot be had, `serve/not-built` where there is no page. */
export async function startBrowserHost({ port, open, db }: BrowserHostOptions): Promise<BrowserHost> {
  pageFiles()
  const access = new Access()
  const engine = new EngineSupervisor({
    node: process.execPath,
    db,
    onStart: () => undefined,
    onDeath: (reason, isFinal) => {
      process.stderr.write(`splice: the engine ended (${reason}); ${isFinal ? 'it is not started again' : 'starting another'}\n`)
    }
  })
  const sockets = new WebSocketServer({ noServer: true, maxPayload: largestFrame, perMessageDeflate: false })
  const server = createServer({ requestTimeout: 10_000, maxHeaderSize: 16 * 1024 }, (request, response) => {
    servePage(request, response, access)
  })
  server.on('upgrade', (request, socket, head) => {
    const refusal = access.refuseSocket(request)
    if (refusal !== null) {
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\n\r\n`)
      return
    }
    sockets.handleUpgrade(request, socket, head, webSocket => relaySocket(webSocket, randomBytes(12).toString('hex'), engine))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', error =>
      reject(
        new SpliceError('serve/port', `port ${port} cannot be had: ${error.message}`, {
          field: '--port',
          hint: 'Leave --port out, or name another.',
          cause: error
        })
      )
    )
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : port}/?token=${access.token}`
  engine.start()
  if (open) openBrowser(url)
  return {
    url,
    async close() {
      for (const socket of sockets.clients) socket.terminate()
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      await engine.close()
    }
  }
}
