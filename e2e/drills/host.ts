/** `splice serve` and clients of it, as its pages are: over the WebSocket, with the cookie. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/websocket'
import type { ContractRouterClient } from '@orpc/contract'
import { WebSocket } from 'ws'
import type { Contract } from '../../src/contract/index.ts'
import { command, root } from '../splice-command.ts'
import { must } from './drill.ts'
import { until, within } from './patience.ts'

export type Client = ContractRouterClient<Contract>

/** One page's connection. */
export interface Line {
  readonly client: Client
  readonly socket: WebSocket
  close(): void
}

export class Host {
  readonly child: ChildProcess
  readonly home: string
  readonly url: URL
  readonly #cookie: string
  #line: Line | null = null
  stderr = ''

  private constructor(child: ChildProcess, home: string, url: URL, cookie: string) {
    this.child = child
    this.home = home
    this.url = url
    this.#cookie = cookie
  }

  /** Starts one in a home. Throws what it says where it does not start. */
  static async start(home: string, env: Record<string, string> = {}): Promise<Host> {
    const child = spawn(command, ['serve', '--no-open'], {
      cwd: root,
      env: { ...process.env, SPLICE_HOME: home, ...env },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    let said = ''
    let host: Host | null = null
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (host !== null) host.stderr = said
    })
    const first = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), once(child, 'close').then(() => null)])
    if (first === null) throw new Error(`splice serve ended with ${child.exitCode}: ${said.trim()}`)
    const url = new URL(String(first[0]))
    const answer = await fetch(url, { redirect: 'manual' })
    const cookie = answer.headers.get('set-cookie')?.split(';')[0]
    must(cookie !== undefined, 'the host gave no cookie')
    host = new Host(child, home, url, cookie)
    host.stderr = said
    return host
  }

  get id(): number {
    must(this.child.pid !== undefined, 'the host has no process')
    return this.child.pid
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Opens a connection of its own; throws where there is no engine now. */
  async connect(): Promise<Line> {
    const socket = new WebSocket(`ws://${this.url.host}/rpc`, { headers: { Cookie: this.#cookie, Origin: this.url.origin } })
    socket.binaryType = 'arraybuffer'
    socket.on('error', () => undefined)
    await within(
      Promise.race([
        once(socket, 'open'),
        once(socket, 'close').then(() => {
          throw new Error('the connection was refused')
        })
      ]),
      'connecting'
    )
    const client: Client = createORPCClient(new RPCLink({ websocket: socket as unknown as globalThis.WebSocket }))
    return { client, socket, close: () => socket.terminate() }
  }

  /** The connection that is open, else another one, as a page connects again. */
  async line(): Promise<Line> {
    for (let tries = 0; ; tries += 1) {
      try {
        if (this.#line === null || this.#line.socket.readyState !== WebSocket.OPEN) {
          this.#line = await this.connect()
          await this.#line.client.engine.status()
        }
        return this.#line
      } catch (thrown) {
        this.#line = null
        if (tries > 100 || !this.isAlive) throw thrown
        await wait(100)
      }
    }
  }

  async client(): Promise<Client> {
    return (await this.line()).client
  }

  /** The processes that the engine says of. Waits until there is an inference process that is ready. */
  async processes(): Promise<{ engine: number; inference: number }> {
    const client = await this.client()
    let found: { engine: number; inference: number } | null = null
    await until(
      async () => {
        const { engineProcess, inference, inferenceProcess } = await client.engine.status()
        if (inference !== 'ready' || inferenceProcess === null) return false
        found = { engine: engineProcess, inference: inferenceProcess }
        return true
      },
      () => 'the inference process did not become ready'
    )
    must(found !== null, 'there is no inference process')
    return found
  }

  /** Ends it as Ctrl-C does. */
  async close(): Promise<void> {
    this.#line?.close()
    if (!this.isAlive) return
    const ended = once(this.child, 'close')
    this.child.kill('SIGINT')
    await within(ended, 'the end of the host')
  }
}
