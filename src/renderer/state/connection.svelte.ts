/**
 * The one connection to the engine: a MessagePort handed over by the Electron preload, or a WebSocket to the browser host.
 * It reconnects by itself; `client` stays the same object over all reconnections, and calls wait while a new connection opens.
 */
import { createORPCClient, DynamicLink, ORPCError } from '@orpc/client'
import { RPCLink as PortLink } from '@orpc/client/message-port'
import { RPCLink as SocketLink } from '@orpc/client/websocket'
import type { ContractRouterClient } from '@orpc/contract'
import type { EngineStatus } from '../../contract/engine.ts'
import { type ErrorData, errorData, SpliceError, toErrorData } from '../../contract/errors.ts'
import type { Contract } from '../../contract/index.ts'
import { notices } from './notices.svelte.ts'

export type Client = ContractRouterClient<Contract>
type Link = PortLink<Record<never, never>> | SocketLink<Record<never, never>>

/** `lost` is a connection that was open before; a new one is being tried. */
export type ConnectionState = 'connecting' | 'open' | 'lost'

const retryMilliseconds = [50, 100, 200, 400, 800, 1500, 3000]
const patienceMilliseconds = 20_000

class Connection {
  state = $state<ConnectionState>('connecting')
  /** What the engine last said of itself; null before the first word. */
  status = $state.raw<EngineStatus | null>(null)
  /** Counts the connections opened so far: an effect that reads it runs again after a reconnection. */
  opened = $state(0)

  #link: Link | null = null
  readonly #gone = new WeakSet<Link>()
  #port: MessagePort | null = null
  #waiting: (() => void)[] = []
  #failures = 0

  /** Every procedure of the contract. */
  readonly client: Client = createORPCClient(new DynamicLink(() => this.#whenOpen()))

  /** Starts connecting; call once. */
  start(): void {
    if (window.splice?.host === 'electron') this.#awaitPorts()
    else this.#openSocket()
  }

  /**
   * The preload posts `splice-port` with a port whenever the engine starts, and `splice-port-closed` when it is gone:
   * Chromium does not tell a page that the other end of a port went away.
   */
  #awaitPorts(): void {
    window.addEventListener('message', event => {
      if (event.source !== window) return
      const [port] = event.ports
      if (event.data?.type === 'splice-port-closed') this.#closePort()
      if (event.data?.type !== 'splice-port' || port === undefined) return
      this.#closePort()
      const link = new PortLink({ port })
      port.addEventListener('close', () => this.#lose(link))
      port.start()
      this.#port = port
      void this.#watch(link)
    })
    window.postMessage({ type: 'splice-port-wanted' }, '*')
  }

  /** Ends the present port: the link hears `close` too, so requests that wait on it fail now rather than never. */
  #closePort(): void {
    this.#port?.dispatchEvent(new Event('close'))
    this.#port?.close()
    this.#port = null
  }

  #openSocket(): void {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/rpc`)
    socket.binaryType = 'arraybuffer'
    const link = new SocketLink({ websocket: socket })
    socket.addEventListener('open', () => void this.#watch(link))
    socket.addEventListener('close', () => {
      this.#lose(link)
      const delay = retryMilliseconds[Math.min(this.#failures, retryMilliseconds.length - 1)] ?? 0
      this.#failures += 1
      setTimeout(() => this.#openSocket(), delay)
    })
  }

  #open(link: Link): void {
    const again = this.opened > 0
    this.#link = link
    this.#failures = 0
    this.state = 'open'
    this.opened += 1
    for (const resolve of this.#waiting.splice(0)) resolve()
    if (again) notices.show({ level: 'info', key: 'connection', message: 'The engine is back. Repeat what was under way.' })
  }

  #lose(link: Link): void {
    this.#gone.add(link)
    if (this.#link !== link) return
    this.#link = null
    this.state = 'lost'
    notices.show({ level: 'warning', key: 'connection', sticky: true, message: 'The connection to the engine broke. Connecting again…' })
  }

  #whenOpen(): Promise<Link> {
    if (this.#link !== null) return Promise.resolve(this.#link)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new SpliceError('connection/none', 'The engine does not answer.', { hint: unreachableHint(), mistake: false })),
        patienceMilliseconds
      )
      this.#waiting.push(() => {
        clearTimeout(timer)
        resolve(this.#whenOpen())
      })
    })
  }

  /**
   * Follows the engine's status and notices for as long as a connection lasts. Its first word opens the connection:
   * a host takes connections before its engine is there, and closes them again.
   */
  async #watch(link: Link): Promise<void> {
    try {
      for await (const event of await createORPCClient<Client>(link).engine.watch()) {
        if (this.#link !== link && !this.#gone.has(link)) this.#open(link)
        if (event.type === 'status') this.status = event.status
        else notices.show({ level: event.notice.level, message: event.notice.message, error: event.notice.error, key: 'engine' })
      }
    } catch (thrown) {
      // A broken connection says so itself.
      const error = errorOf(thrown)
      if (!this.#gone.has(link) && error.kind !== 'connection/lost') {
        notices.show({ level: 'error', key: 'watch', message: 'The engine status cannot be followed.', error })
      }
    }
  }
}

function unreachableHint(): string {
  return window.splice?.host === 'electron' ? 'Restart the app.' : 'See whether `splice serve` still runs, and open the address it prints.'
}

/** Any failure of a request as error data: the engine's own error, or a broken connection in words. */
export function errorOf(thrown: unknown): ErrorData {
  if (thrown instanceof ORPCError) {
    const data = errorData.safeParse(thrown.data)
    if (data.success) return data.data
    return { kind: 'engine/internal', message: thrown.message, mistake: false }
  }
  if (thrown instanceof Error && (thrown.name === 'AbortError' || /WebSocket is not open/.test(thrown.message))) {
    return {
      kind: 'connection/lost',
      message: 'The connection to the engine broke before the answer came.',
      hint: 'The engine is being restarted; repeat the request when the status bar says that it is ready.',
      mistake: false
    }
  }
  return toErrorData(thrown)
}

export const connection = new Connection()
/** Every procedure of the contract, over whichever connection is open. */
export const client: Client = connection.client
