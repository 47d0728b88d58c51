/** Passes frames between one WebSocket and the engine, unread, and no faster than both can take them. */
import type { RawData, WebSocket } from 'ws'
import type { EngineSupervisor } from '../engine/supervisor.ts'
import { type HostLimits, RateLimit, usualLimits } from './limits.ts'

/** "Try again later": the page connects again by itself. */
const engineGone = 1013
/** "Policy violation". */
const tooMuch = 1008

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return new Uint8Array(Buffer.concat(data))
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data
}

/** Connects a socket to the engine for as long as both last. */
export function relaySocket(
  socket: WebSocket,
  connection: string,
  engine: Pick<EngineSupervisor, 'connect' | 'send'>,
  limits: HostLimits = usualLimits
): void {
  socket.on('error', () => socket.terminate())
  const isConnected = engine.connect(connection, ({ kind, data }) => {
    if (kind === 'close') socket.close(engineGone, 'the engine ended')
    // A tab that reads nothing would have the host hold all that it is sent.
    else if (socket.bufferedAmount > limits.waitingForTab) socket.terminate()
    else if (typeof data === 'string') socket.send(data)
    else if (data instanceof Uint8Array || data instanceof ArrayBuffer) socket.send(data, { binary: true })
  })
  if (!isConnected) {
    socket.close(engineGone, 'the engine is not there')
    return
  }
  const rate = new RateLimit(limits.framesPerSecond, limits.framesAtOnce)
  let waiting = 0
  socket.on('message', (data, isBinary) => {
    if (!rate.take()) {
      socket.close(tooMuch, 'too many frames')
      return
    }
    const bytes = bytesOf(data)
    waiting += bytes.length
    if (waiting > limits.waitingForEngine) socket.pause()
    const frame = isBinary ? bytes : new TextDecoder().decode(bytes)
    engine.send({ connection, kind: 'frame', data: frame }, () => {
      waiting -= bytes.length
      if (socket.isPaused && waiting <= limits.waitingForEngine) socket.resume()
    })
  })
  socket.on('close', () => engine.send({ connection, kind: 'close' }))
}

/** Ends sockets whose other end gives no sign of life: a tunnel that broke leaves them open. Returns what stops it. */
export function watchSockets(sockets: ReadonlySet<WebSocket>, limits: HostLimits): () => void {
  const asked = new WeakSet<WebSocket>()
  const timer = setInterval(() => {
    for (const socket of sockets) {
      if (asked.has(socket)) socket.terminate()
      else {
        asked.add(socket)
        socket.once('pong', () => asked.delete(socket))
        socket.ping()
      }
    }
  }, limits.signOfLifeMs)
  timer.unref()
  return () => clearInterval(timer)
}
