/** Electron's ipcMain and its message ports, whose other ends are in pages. */
import { EventEmitter } from 'node:events'
import type { Frame } from './windows.ts'

/** What a listener gets with a message. */
export interface MessageEvent {
  readonly sender: object
  readonly senderFrame: Frame | null
}

type Listener = (event: MessageEvent, ...args: unknown[]) => unknown

const listeners = new Map<string, Listener[]>()
const replies = new Map<string, Listener>()

export const ipcMain = {
  on(channel: string, listener: Listener): void {
    listeners.set(channel, [...(listeners.get(channel) ?? []), listener])
  },
  handle(channel: string, reply: Listener): void {
    if (replies.has(channel)) throw new Error(`${channel} is answered already`)
    replies.set(channel, reply)
  }
}

/** Passes on what a page said. Electron drops what nobody hears; here it is a defect. */
export function heard(channel: string, event: MessageEvent, args: unknown[]): void {
  const found = listeners.get(channel)
  if (found === undefined) throw new Error(`nobody hears the channel ${channel}`)
  for (const listener of found) listener(event, ...args)
}

export async function answered(channel: string, event: MessageEvent, args: unknown[]): Promise<unknown> {
  const reply = replies.get(channel)
  if (reply === undefined) throw new Error(`Error invoking remote method '${channel}': nobody answers it`)
  return reply(event, ...args)
}

/** One end of a channel; `deliver` takes messages to wherever the other end is. Messages wait until the port is started. */
export class MessagePortMain extends EventEmitter {
  deliver: ((data: unknown) => void) | null = null
  hangUp: () => void = () => undefined
  #isStarted = false
  #isClosed = false
  #waiting: unknown[] = []

  override on(event: 'message' | 'close', listener: (...args: never[]) => void): this {
    if (event !== 'message' && event !== 'close') throw new Error(`a port has no event ${event}`)
    return super.on(event, listener as (...args: unknown[]) => void)
  }

  postMessage(data: unknown, transfer: unknown[] = []): void {
    if (transfer.length > 0) throw new Error('the stand-in passes no ports over ports')
    if (!this.#isClosed) this.deliver?.(data)
  }

  start(): void {
    this.#isStarted = true
    for (const data of this.#waiting.splice(0)) this.emit('message', { data, ports: [] })
  }

  receive(data: unknown): void {
    if (this.#isClosed) return
    if (this.#isStarted) this.emit('message', { data, ports: [] })
    else this.#waiting.push(data)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.hangUp()
  }

  /** The other end is closed. */
  closedByOther(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.emit('close')
  }
}

export class MessageChannelMain {
  readonly port1 = new MessagePortMain()
  readonly port2 = new MessagePortMain()

  constructor() {
    others.set(this.port2, this.port1)
    others.set(this.port1, this.port2)
  }
}

const others = new WeakMap<MessagePortMain, MessagePortMain>()

/** Ports whose other ends are in pages, by the name that crosses. */
export const transferred = new Map<number, MessagePortMain>()
let lastPort = 0

/** Gives a port's place to a page: what its other end sends goes there. */
export function transfer(port: MessagePortMain, toPage: (message: object) => void): number {
  const other = others.get(port)
  if (other === undefined) throw new Error('this port belongs to no channel')
  lastPort += 1
  const id = lastPort
  transferred.set(id, other)
  other.deliver = data => toPage({ kind: 'port', port: id, data })
  other.hangUp = () => {
    transferred.delete(id)
    toPage({ kind: 'port-closed', port: id })
  }
  return id
}
