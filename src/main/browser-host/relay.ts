/** Passes frames between one WebSocket and the engine, unread. */
import type { RawData, WebSocket } from 'ws'
import type { EngineSupervisor } from '../engine/supervisor.ts'

/** "Try again later": the page connects again by itself. */
const engineGone = 1013

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return new Uint8Array(Buffer.concat(data))
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data
}

/** Connects a socket to the engine for as long as both last. */
export function relaySocket(socket: WebSocket, connection: string, engine: Pick<EngineSupervisor, 'connect' | 'send'>): void {
  socket.on('error', () => socket.terminate())
  const isConnected = engine.connect(connection, ({ kind, data }) => {
    if (kind === 'close') socket.close(engineGone, 'the engine ended')
    else if (typeof data === 'string') socket.send(data)
    else if (data instanceof Uint8Array || data instanceof ArrayBuffer) socket.send(data, { binary: true })
  })
  if (!isConnected) {
    socket.close(engineGone, 'the engine is not there')
    return
  }
  socket.on('message', (data, isBinary) => {
    const bytes = bytesOf(data)
    engine.send({ connection, kind: 'frame', data: isBinary ? bytes : new TextDecoder().decode(bytes) })
  })
  socket.on('close', () => engine.send({ connection, kind: 'close' }))
}
