/** Hands each window a port to the engine and passes frames on, unread. A window gets a new port after the engine restarted. */
import { randomUUID } from 'node:crypto'
import { MessageChannelMain, type MessagePortMain, type WebContents } from 'electron'
import type { EngineSupervisor } from '../engine/supervisor.ts'
import { hear } from './channels.ts'

export class WindowPorts {
  readonly #engine: EngineSupervisor
  /** Windows whose page asked for a port, with the connection they have now. */
  readonly #windows = new Map<WebContents, { connection: string; port: MessagePortMain } | null>()

  constructor(engine: EngineSupervisor) {
    this.#engine = engine
    hear('port-wanted', sender => {
      if (!this.#windows.has(sender)) sender.once('destroyed', () => this.#forget(sender))
      // A reloaded page asks anew; what the page before it had asked for is cancelled.
      this.#disconnect(sender)
      this.#windows.set(sender, null)
      this.#connect(sender)
    })
  }

  /** Connects every window that waits: call when the engine has started. */
  connectAll(): void {
    for (const [window, connected] of this.#windows) if (connected === null) this.#connect(window)
  }

  /** Tells every page that its port is dead: call when the engine has died. */
  disconnectAll(): void {
    for (const window of this.#windows.keys()) {
      this.#disconnect(window)
      if (!window.isDestroyed()) window.send('port-closed')
    }
  }

  #connect(window: WebContents): void {
    const { port1, port2 } = new MessageChannelMain()
    const connection = randomUUID()
    const isConnected = this.#engine.connect(connection, ({ kind, data }) => {
      if (kind === 'frame') port1.postMessage(data)
    })
    if (!isConnected) return
    port1.on('message', ({ data }) => this.#engine.send({ connection, kind: 'frame', data }))
    port1.on('close', () => this.#engine.send({ connection, kind: 'close' }))
    port1.start()
    this.#windows.set(window, { connection, port: port1 })
    window.postMessage('port', null, [port2])
  }

  #disconnect(window: WebContents): void {
    const connected = this.#windows.get(window)
    if (connected === null || connected === undefined) return
    this.#windows.set(window, null)
    this.#engine.send({ connection: connected.connection, kind: 'close' })
    connected.port.close()
  }

  #forget(window: WebContents): void {
    this.#disconnect(window)
    this.#windows.delete(window)
  }
}
