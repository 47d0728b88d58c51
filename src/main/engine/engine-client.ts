/** A client of the engine inside the host's process, over a connection of its own; it connects again when the engine was restarted. */
import { createORPCClient, DynamicLink } from '@orpc/client'
import { RPCLink } from '@orpc/client/message-port'
import type { ContractRouterClient } from '@orpc/contract'
import { SpliceError } from '../../contract/errors.ts'
import type { Contract } from '../../contract/index.ts'
import type { EngineSupervisor } from './supervisor.ts'

type Link = RPCLink<Record<never, never>>

export type EngineClient = ContractRouterClient<Contract>

export class EngineConnection {
  readonly client: EngineClient = createORPCClient(new DynamicLink(() => this.#connected()))
  readonly #engine: Pick<EngineSupervisor, 'connect' | 'send'>
  #count = 0
  #open: { readonly link: Link; readonly port: MessagePort; readonly connection: string } | null = null

  constructor(engine: Pick<EngineSupervisor, 'connect' | 'send'>) {
    this.#engine = engine
  }

  /** The link of the present connection. Throws `engine/gone` while there is no engine. */
  #connected(): Link {
    if (this.#open !== null) return this.#open.link
    this.#count += 1
    const connection = `host-${this.#count}`
    const { port1, port2 } = new MessageChannel()
    const isConnected = this.#engine.connect(connection, ({ kind, data }) => {
      if (kind === 'close') this.#lose(connection)
      else port2.postMessage(data)
    })
    if (!isConnected) {
      port1.close()
      throw new SpliceError('engine/gone', 'the engine is starting again', { mistake: false, hint: 'Ask again in a moment.' })
    }
    port2.onmessage = ({ data }) => this.#engine.send({ connection, kind: 'frame', data })
    const link = new RPCLink({ port: port1 })
    port1.start()
    this.#open = { link, port: port1, connection }
    return link
  }

  /** What waits on a connection that is gone fails now. */
  #lose(connection: string): void {
    const open = this.#open
    if (open?.connection !== connection) return
    this.#open = null
    open.port.dispatchEvent(new Event('close'))
    open.port.close()
  }

  close(): void {
    const open = this.#open
    if (open === null) return
    this.#engine.send({ connection: open.connection, kind: 'close' })
    this.#lose(open.connection)
  }
}
