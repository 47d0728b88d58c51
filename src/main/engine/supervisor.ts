/**
 * A host's side of the engine: starts it with the project's own Node, passes envelopes on, and starts another when it dies.
 * Every connection is closed then, so that clients connect again. Imports nothing heavy: the Electron shell uses it too.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { processEntry } from './process-entry.ts'

/** An envelope as it passes through a host, unread. */
export interface PassingEnvelope {
  readonly connection: string
  readonly kind: 'open' | 'frame' | 'close'
  readonly data?: unknown
}

export interface SupervisorOptions {
  /** The Node binary that runs the engine. */
  readonly node: string
  /** The mirror's file; the home's by default. */
  readonly db?: string
  /** The engine is there: at first, and again after each restart. */
  readonly onStart: () => void
  /** The engine died, with the last line it said; `isFinal` when it died so often that no other is started. */
  readonly onDeath: (reason: string, isFinal: boolean) => void
}

/** Deaths within this time, in ms, count against the engine. */
const trialTime = 20_000
const mostDeaths = 5
const delays = [0, 200, 500, 1000, 2000]

export class EngineSupervisor {
  readonly #options: SupervisorOptions
  readonly #receivers = new Map<string, (envelope: PassingEnvelope) => void>()
  #child: ChildProcess | null = null
  #deaths: number[] = []
  #closed = false
  #restart: NodeJS.Timeout | null = null

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  get processId(): number | null {
    return this.#child?.pid ?? null
  }

  start(): void {
    let lastLine = ''
    const child = fork(processEntry('engine'), [], {
      execPath: this.#options.node,
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      env: { ...process.env, ...(this.#options.db === undefined ? {} : { SPLICE_DB: this.#options.db }) }
    })
    this.#child = child
    child.stderr?.on('data', (chunk: Buffer) => {
      process.stderr.write(chunk)
      lastLine = chunk.toString('utf8').trim().split('\n').at(-1) ?? lastLine
    })
    child.on('message', message => {
      if (isEnvelope(message)) this.#receivers.get(message.connection)?.(message)
    })
    child.on('error', error => this.#onDeath(child, error.message))
    child.on('exit', (code, signal) => this.#onDeath(child, lastLine || (signal ?? `exit code ${code}`)))
    this.#options.onStart()
  }

  #onDeath(child: ChildProcess, reason: string): void {
    if (this.#child !== child) return
    this.#child = null
    if (this.#closed) return
    const now = Date.now()
    this.#deaths = [...this.#deaths.filter(at => now - at < trialTime), now]
    const isFinal = this.#deaths.length >= mostDeaths
    this.#options.onDeath(reason, isFinal)
    for (const [connection, receive] of [...this.#receivers]) receive({ connection, kind: 'close' })
    this.#receivers.clear()
    if (isFinal) return
    this.#restart = setTimeout(() => this.start(), delays[this.#deaths.length - 1] ?? 0)
  }

  /** Opens a connection; `receive` gets its frames, and a close when the engine dies. False while there is no engine. */
  connect(connection: string, receive: (envelope: PassingEnvelope) => void): boolean {
    if (this.#child === null) return false
    this.#receivers.set(connection, receive)
    this.send({ connection, kind: 'open' })
    return true
  }

  /** Passes an envelope to the engine; one for a connection that is gone is dropped. */
  send(message: PassingEnvelope): void {
    if (!this.#receivers.has(message.connection)) return
    if (message.kind === 'close') this.#receivers.delete(message.connection)
    this.#child?.send(message, () => undefined)
  }

  /** Ends the engine. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#restart !== null) clearTimeout(this.#restart)
    const child = this.#child
    if (child === null) return
    const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
    child.disconnect()
    const impatience = setTimeout(() => child.kill('SIGKILL'), 2000)
    await gone
    clearTimeout(impatience)
  }
}

function isEnvelope(message: unknown): message is PassingEnvelope {
  return (
    typeof message === 'object' &&
    message !== null &&
    'connection' in message &&
    typeof message.connection === 'string' &&
    'kind' in message
  )
}
