/**
 * Serves a router to many connections over one channel between processes. Each connection's frames travel in envelopes;
 * the processes between a client and the engine pass them on without looking inside.
 */
import type { AnyRouter } from '@orpc/server'
import { RPCHandler } from '@orpc/server/message-port'
import { type Envelope, envelope } from './envelope.ts'

/** One connection as the message port that oRPC expects. */
class ConnectionPort {
  readonly #send: (data: Envelope['data']) => void
  #onMessage: ((event: { data: unknown }) => void) | null = null
  #onClose: (() => void) | null = null

  constructor(send: (data: Envelope['data']) => void) {
    this.#send = send
  }

  on(event: string, callback: (event?: { data: unknown }) => void): void {
    if (event === 'message') this.#onMessage = callback
    if (event === 'close') this.#onClose = () => callback()
  }

  postMessage(data: Envelope['data']): void {
    this.#send(data)
  }

  receive(data: Envelope['data']): void {
    this.#onMessage?.({ data })
  }

  /** Cancels what the connection asked for. */
  close(): void {
    this.#onClose?.()
  }
}

export class Peers {
  readonly #handler: RPCHandler<Record<never, never>>
  readonly #send: (message: Envelope) => void
  readonly #ports = new Map<string, ConnectionPort>()

  constructor(router: AnyRouter, send: (message: Envelope) => void) {
    this.#handler = new RPCHandler(router)
    this.#send = send
  }

  /** Takes one envelope from the channel. Throws where it is none. */
  receive(raw: unknown): void {
    const { connection, kind, data } = envelope.parse(raw)
    if (kind === 'open') this.#open(connection)
    else if (kind === 'frame') this.#ports.get(connection)?.receive(data)
    else this.#close(connection)
  }

  #open(connection: string): void {
    const port = new ConnectionPort(data => this.#send({ connection, kind: 'frame', data }))
    this.#ports.set(connection, port)
    this.#handler.upgrade(port, { context: {} })
  }

  #close(connection: string): void {
    this.#ports.get(connection)?.close()
    this.#ports.delete(connection)
  }
}
