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

/** How an engine died. */
export interface EngineDeath {
  /** In words: its own, its last line on stderr, or the signal. */
  readonly reason: string
  /** Error data as the engine sent it, where it could not open. */
  readonly error?: unknown
  /** True where no other is started: it could not open at first, or died too often in a short time. */
  readonly isFinal: boolean
}

export interface SupervisorOptions {
  /** The Node binary that runs the engine. */
  readonly node: string
  /** The file that it starts; the engine beside this code by default. */
  readonly entry?: string
  /** The mirror's file; the home's by default. */
  readonly db?: string
  /** The folders that clients may name paths in; any path without it. */
  readonly only?: readonly string[]
  /** A process is started, at first and again after each death: it can be connected to. */
  readonly onStart?: () => void
  /** It is open and answers. */
  readonly onReady?: () => void
  readonly onDeath: (death: EngineDeath) => void
}

/** How many arenas glibc may have in the engine, which its own entry takes back for the inference process. */
const engineArenas = '2'

/** Deaths within this time, in ms, count against the engine. */
const trialTime = 20_000
const mostDeaths = 5
/** What is waited before a restart, in ms, by deaths so far. */
const delays = [0, 200, 500, 1000]
/** How long an engine may take to end by itself, in ms. */
const closePatience = 2000

export class EngineSupervisor {
  readonly #options: SupervisorOptions
  readonly #receivers = new Map<string, (envelope: PassingEnvelope) => void>()
  #child: ChildProcess | null = null
  #wasReady = false
  #deaths: number[] = []
  /** What the next engine writes down for diagnostics. */
  #lastDeath: string | null = null
  #closed = false
  #restart: NodeJS.Timeout | null = null

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  /** Null while there is no engine. */
  get processId(): number | null {
    return this.#child?.pid ?? null
  }

  /** Starts the engine; `onReady` or `onDeath` says what came of it. */
  start(): void {
    let reason: string | null = null
    let error: unknown
    const { only } = this.#options
    const child = fork(this.#options.entry ?? processEntry('engine'), only === undefined ? [] : [JSON.stringify(only)], {
      execPath: this.#options.node,
      execArgv: [],
      serialization: 'advanced',
      // Its stdout is our stderr: a host's own stdout carries the URL and nothing else.
      stdio: ['ignore', 2, 'pipe', 'ipc'],
      env: {
        // Runs are compressed and read in threads; an arena for each of glibc's would keep what they gave back.
        MALLOC_ARENA_MAX: engineArenas,
        ...process.env,
        ...(this.#options.db === undefined ? {} : { SPLICE_DB: this.#options.db }),
        ...(this.#lastDeath === null ? {} : { SPLICE_LAST_DEATH: this.#lastDeath })
      }
    })
    this.#child = child
    child.stderr?.on('data', (chunk: Buffer) => {
      process.stderr.write(chunk)
      reason = chunk.toString('utf8').trim().split('\n').at(-1) ?? reason
    })
    child.on('message', message => {
      if (isEnvelope(message)) this.#pass(message)
      else if (has(message, 'kind') && message.kind === 'ready') this.#onReady()
      else if (has(message, 'error')) {
        error = message.error
        reason = has(error, 'message') ? String(error.message) : reason
      }
    })
    child.on('error', problem => this.#onDeath(child, problem.message, error))
    // Not `close`: the inference process holds the same stderr a little longer.
    child.on('exit', (code, signal) => this.#onDeath(child, reason || (signal ?? `exit code ${code}`), error))
    this.#options.onStart?.()
  }

  #pass(message: PassingEnvelope): void {
    const receive = this.#receivers.get(message.connection)
    if (message.kind === 'close') this.#receivers.delete(message.connection)
    receive?.(message)
  }

  #onReady(): void {
    this.#wasReady = true
    this.#options.onReady?.()
  }

  #onDeath(child: ChildProcess, reason: string, error: unknown): void {
    if (this.#child !== child) return
    this.#child = null
    if (this.#closed) return
    // Not the clock on the wall, which may be set.
    const now = performance.now()
    this.#deaths = [...this.#deaths.filter(at => now - at < trialTime), now]
    this.#lastDeath = reason
    const couldNotOpen = error !== undefined && !this.#wasReady
    const isFinal = couldNotOpen || this.#deaths.length >= mostDeaths
    const receivers = [...this.#receivers]
    this.#receivers.clear()
    if (!isFinal) this.#restart = setTimeout(() => this.start(), delays[this.#deaths.length - 1] ?? 0)
    this.#options.onDeath({ reason, error, isFinal })
    for (const [connection, receive] of receivers) receive({ connection, kind: 'close' })
  }

  /** Opens a connection; `receive` gets its frames, and a close when the engine dies. False while there is no engine. */
  connect(connection: string, receive: (envelope: PassingEnvelope) => void): boolean {
    if (this.#child === null) return false
    this.#receivers.set(connection, receive)
    this.send({ connection, kind: 'open' })
    return true
  }

  /** Passes an envelope to the engine; one for a connection that is gone is dropped. `then` hears that it waits here no longer. */
  send(message: PassingEnvelope, then: () => void = () => undefined): void {
    if (this.#child === null || !this.#receivers.has(message.connection)) {
      then()
      return
    }
    if (message.kind === 'close') this.#receivers.delete(message.connection)
    // What cannot be sent any more is answered by the death that follows.
    this.#child.send(message, () => then())
  }

  /** Ends the engine. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#restart !== null) clearTimeout(this.#restart)
    const child = this.#child
    if (child === null) return
    const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
    if (child.connected) child.disconnect()
    const impatience = setTimeout(() => child.kill('SIGKILL'), closePatience)
    await gone
    clearTimeout(impatience)
  }
}

function has<Name extends string>(value: unknown, name: Name): value is Record<Name, unknown> {
  return typeof value === 'object' && value !== null && name in value
}

function isEnvelope(message: unknown): message is PassingEnvelope {
  return has(message, 'connection') && typeof message.connection === 'string' && has(message, 'kind')
}
