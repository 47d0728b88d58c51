/**
 * Serves a router to many connections over one channel between processes. Each connection's frames travel in envelopes;
 * the processes between a client and the engine pass them on without looking inside.
 */
import type { AnyRouter } from '@orpc/server'
// This adapter wants nothing of a socket but `send`, and says when a frame was none.
import { RPCHandler } from '@orpc/server/bun-ws'
import { z } from 'zod'
import { legible } from '../../contract/errors.ts'
import { type JsonBounds, requireBounds } from '../checkpoint/json.ts'
import { type Envelope, envelope } from './envelope.ts'

/** Frames are looked at before they are parsed where they are large enough to become much more in memory. */
const smallFrame = 64 * 1024
const frameBounds: JsonBounds = { depth: 200, values: 2_000_000 }

/** Who sent what is otherwise no envelope. */
const addressed = z.object({ connection: z.string() })

/** A connection as the adapter sees it. */
interface Peer {
  send(data: string | ArrayBufferLike | Uint8Array): number
}

export class Peers {
  readonly #handler: RPCHandler<Record<never, never>>
  readonly #send: (message: Envelope) => void
  readonly #peers = new Map<string, Peer>()

  /** `send` takes what goes back to the host. */
  constructor(router: AnyRouter, send: (message: Envelope) => void) {
    this.#handler = new RPCHandler(router)
    this.#send = send
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#peers.size
  }

  /** Takes one envelope from the channel. A frame that cannot be read closes its connection; what is no envelope at all is dropped. */
  receive(raw: unknown): void {
    const parsed = envelope.safeParse(raw)
    if (!parsed.success) {
      const sender = addressed.safeParse(raw)
      if (sender.success) this.#refuse(sender.data.connection, 'it is neither text nor bytes')
      return
    }
    const { connection, kind, data } = parsed.data
    if (kind === 'open') this.#open(connection)
    else if (kind === 'close') this.#close(connection)
    // A turn of its own for each frame: reading a request takes longer than reading its cancellation, which must not overtake it.
    else if (data !== undefined) setImmediate(() => void this.#read(connection, data))
  }

  #open(connection: string): void {
    this.#close(connection)
    this.#peers.set(connection, {
      send: data => {
        this.#send({ connection, kind: 'frame', data: typeof data === 'string' ? data : bytesOf(data) })
        return 1
      }
    })
  }

  /** Cancels what the connection asked for. */
  #close(connection: string): void {
    const peer = this.#peers.get(connection)
    if (peer === undefined) return
    this.#peers.delete(connection)
    this.#handler.close(peer)
  }

  async #read(connection: string, data: NonNullable<Envelope['data']>): Promise<void> {
    const peer = this.#peers.get(connection)
    if (peer === undefined) return
    try {
      if ((typeof data === 'string' ? data.length : data.byteLength) > smallFrame)
        requireBounds(typeof data === 'string' ? data : Buffer.from(bytesOf(data)).toString('latin1'), frameBounds)
      await this.#handler.message(peer, typeof data === 'string' ? data : bytesOf(data), { context: {} })
    } catch (thrown) {
      if (this.#peers.get(connection) === peer) this.#refuse(connection, String(thrown))
    }
  }

  #refuse(connection: string, why: string): void {
    if (!this.#peers.has(connection)) return
    process.stderr.write(`splice: a connection is closed, its frame cannot be read: ${legible(why)}\n`)
    this.#close(connection)
    this.#send({ connection, kind: 'close' })
  }
}

function bytesOf(data: ArrayBufferLike | Uint8Array): Uint8Array {
  return data instanceof Uint8Array ? data : new Uint8Array(data)
}
