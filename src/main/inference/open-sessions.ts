/**
 * The sessions that are open in a process, within one budget. Plans of all kinds share them: two that have the same graph have one session
 * for it. Where the budget does not suffice, those go first that were not used for longest, and what a job uses stays until it has ended.
 * A job that takes more than the budget by itself opens and closes its own as it goes; the session that is about to run always may.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { InferenceSession } from 'onnxruntime-node'
import { expectedThreads, type Holding, holdingOf, machineBudget, type SessionBudget, threadsOfProcess } from './session-budget.ts'
import { createSession, type Target } from './sessions.ts'

/** A graph that a session can be opened for. Equal keys mean equal graphs over unchanged files. */
export interface SessionSource {
  readonly key: string
  readonly model: Uint8Array
  readonly target: Target
  readonly deviceBytes: number
  /** The model whose weights are mapped. */
  readonly checkpoint: MappedCheckpoint
  /** Throws where a file of the graph is not what it was. */
  check(): Promise<void>
}

export interface MappedCheckpoint {
  readonly folder: string
  readonly sizeBytes: number
}

/** What runs a stage. */
export interface StageSession {
  run(feeds: InferenceSession.FeedsType, fetches: readonly string[]): Promise<InferenceSession.ReturnType>
  /** Says that the job under way will not run it again, so that it may go before others of that job. */
  letGo(): void
}

interface Open {
  readonly source: SessionSource
  readonly session: Promise<InferenceSession>
  holds: Holding
  runs: number
}

/** The sessions that the job under way uses. */
const usedByJob = new AsyncLocalStorage<Set<Open>>()
/** How many jobs use a session. */
const users = new Map<Open, number>()

function use(open: Open): void {
  const used = usedByJob.getStore()
  if (used === undefined || used.has(open)) return
  used.add(open)
  users.set(open, (users.get(open) ?? 0) + 1)
}

function stopUsing(used: Set<Open>, open: Open): void {
  if (!used.delete(open)) return
  const others = (users.get(open) ?? 1) - 1
  if (others === 0) users.delete(open)
  else users.set(open, others)
}

/** Does a job's work; the sessions that it uses stay until it has ended, whatever others open meanwhile. */
export async function keepingSessions<Result>(work: () => Promise<Result>): Promise<Result> {
  const used = new Set<Open>()
  try {
    return await usedByJob.run(used, work)
  } finally {
    for (const open of [...used]) stopUsing(used, open)
  }
}

const none: Holding = { bytes: 0, threads: 0, deviceBytes: 0 }
const kinds = ['bytes', 'threads', 'deviceBytes'] as const

function sum(a: Holding, b: Holding): Holding {
  return { bytes: a.bytes + b.bytes, threads: a.threads + b.threads, deviceBytes: a.deviceBytes + b.deviceBytes }
}

export class OpenSessions {
  /** By the keys of their sources, the last used last. */
  readonly #open = new Map<string, Open>()
  readonly #budget: SessionBudget
  #deviceBytes: Promise<number> | undefined
  readonly #countThreads: () => number | null
  /** Threads that the last session started. */
  #threads: number | null = null

  /** `countThreads` says how many this process has, null where nothing does. */
  constructor(budget = machineBudget(), countThreads = threadsOfProcess) {
    this.#budget = budget
    this.#countThreads = countThreads
  }

  /** How many sessions are open, and what they hold. */
  get held(): Holding & { readonly sessions: number } {
    return { ...[...this.#open.values()].reduce((all, { holds }) => sum(all, holds), none), sessions: this.#open.size }
  }

  /** Bytes of the checkpoints that open sessions map, each counted once. */
  get mappedBytes(): number {
    const checkpoints = new Map([...this.#open.values()].map(({ source: { checkpoint } }) => [checkpoint.folder, checkpoint.sizeBytes]))
    return [...checkpoints.values()].reduce((all, bytes) => all + bytes, 0)
  }

  isOpen(source: SessionSource): boolean {
    return this.#open.has(source.key)
  }

  /** What runs a source's graph: opened when it is first needed, and again when it was closed meanwhile. */
  session(source: SessionSource): StageSession {
    return {
      run: (feeds, fetches) => this.#run(source, feeds, fetches),
      letGo: () => {
        const open = this.#open.get(source.key)
        const used = usedByJob.getStore()
        if (open !== undefined && used !== undefined) stopUsing(used, open)
      }
    }
  }

  /** Opens a session that will be needed, unless it is the CPU's and others of the job would have to go for it; whether it is open. */
  async openAhead(source: SessionSource): Promise<boolean> {
    if (!this.isOpen(source) && !(await this.#makeRoom(this.#expected(source))) && source.deviceBytes === 0) return false
    await this.#whileRunning(this.#take(source), session => session)
    return true
  }

  /** Closes sessions that no job uses until so many bytes more fit on a device, all of them for `Infinity`; whether any went. */
  async makeDeviceRoom(deviceBytes: number): Promise<boolean> {
    const before = this.#open.size
    await this.#makeRoom({ ...none, deviceBytes })
    return this.#open.size < before
  }

  async #run(source: SessionSource, feeds: InferenceSession.FeedsType, fetches: readonly string[]): Promise<InferenceSession.ReturnType> {
    if (!this.isOpen(source)) {
      const expected = this.#expected(source)
      if (!(await this.#makeRoom(expected))) await this.#closeOwn(expected)
    }
    return this.#whileRunning(this.#take(source), session => session.run(feeds, fetches))
  }

  async #whileRunning<Result>(open: Open, work: (session: InferenceSession) => Result | Promise<Result>): Promise<Result> {
    open.runs += 1
    try {
      return await work(await open.session)
    } finally {
      open.runs -= 1
    }
  }

  #expected({ model, deviceBytes }: SessionSource): Holding {
    return holdingOf(model.length, this.#threads ?? expectedThreads(), deviceBytes)
  }

  /** The session of a source, now the last used. */
  #take(source: SessionSource): Open {
    const open = this.#open.get(source.key) ?? this.#begin(source)
    this.#open.delete(source.key)
    this.#open.set(source.key, open)
    use(open)
    return open
  }

  #begin(source: SessionSource): Open {
    const begun: Open = { source, session: this.#make(source), holds: this.#expected(source), runs: 0 }
    begun.session.then(
      () => {
        begun.holds = this.#expected(source)
      },
      () => this.#open.delete(source.key)
    )
    return begun
  }

  async #make(source: SessionSource): Promise<InferenceSession> {
    await source.check()
    const before = this.#countThreads()
    const session = await createSession(source.model, source.target)
    const after = this.#countThreads()
    if (before !== null && after !== null) this.#threads = Math.max(0, after - before)
    return session
  }

  /** What the budget has, as far as it matters to so much more. */
  async #most({ deviceBytes }: Holding): Promise<Holding> {
    const { bytes, threads } = this.#budget
    if (deviceBytes === 0) return { bytes, threads, deviceBytes: 0 }
    this.#deviceBytes ??= this.#budget.deviceBytes()
    return { bytes, threads, deviceBytes: await this.#deviceBytes }
  }

  /** Of which so much more would be beyond the budget. */
  #over(more: Holding, most: Holding): (typeof kinds)[number][] {
    const { held } = this
    return kinds.filter(kind => more[kind] > 0 && held[kind] + more[kind] > most[kind])
  }

  /** Closes sessions that no job uses, those first that were not used for longest, until so much more fits; whether it does. */
  async #makeRoom(more: Holding): Promise<boolean> {
    return this.#closeSome([...this.#open.values()], open => !users.has(open), more)
  }

  /**
   * Closes sessions that the job under way alone uses, those first that were used last: a job goes through its stages again and again, and what
   * it ran just now is what it will not run for longest. A device keeps them, since opening them again would copy their weights.
   */
  async #closeOwn(more: Holding): Promise<void> {
    const used = usedByJob.getStore() ?? new Set()
    const isOwn = (open: Open) => used.has(open) && users.get(open) === 1 && open.holds.deviceBytes === 0
    await this.#closeSome([...this.#open.values()].reverse(), isOwn, more)
  }

  /** Closes those that may go and do not run, in this order, until so much more fits; others may use or close some of them meanwhile. */
  async #closeSome(candidates: readonly Open[], mayGo: (open: Open) => boolean, more: Holding): Promise<boolean> {
    const most = await this.#most(more)
    for (const open of candidates) {
      const over = this.#over(more, most)
      if (over.length === 0) return true
      const isIdle = this.#open.get(open.source.key) === open && open.runs === 0 && mayGo(open)
      if (isIdle && over.some(kind => open.holds[kind] > 0)) await this.#close(open)
    }
    return this.#over(more, most).length === 0
  }

  async #close(open: Open): Promise<void> {
    const used = usedByJob.getStore()
    if (used !== undefined) stopUsing(used, open)
    this.#open.delete(open.source.key)
    const session = await open.session.catch(() => null)
    await session?.release()
  }
}
