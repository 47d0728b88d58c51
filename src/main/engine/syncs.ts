/** The sync of this engine: started, followed, paused and taken up again by any client; it outlives the window that began it. */
import fs from 'node:fs/promises'
import path from 'node:path'
import { SpliceError, toErrorData } from '../../contract/errors.ts'
import type { ImportSummary } from '../../contract/explanations.ts'
import type { SyncedFile, SyncPlanEvent, SyncRequest, SyncState } from '../../contract/sync.ts'
import { versionFolder } from '../bucket/object-file.ts'
import { defaultPatience, type Patience } from '../bucket/retry.ts'
import { bucketAddress, cancelled } from '../bucket/service.ts'
import type { Mirror } from '../explanations/mirror.ts'
import { checkRoom, type PlanOptions, planSync, type SyncPlan } from '../sync/plan.ts'
import { listModels, listSources } from '../sync/selection.ts'
import { Sync } from '../sync/sync.ts'
import { withLock } from '../transfer/lock.ts'
import { EventQueue } from './event-queue.ts'
import { streamWork } from './progress.ts'

/** How long changes gather before watchers hear of them, and over how long the speed is measured; ms. */
const tellDelay = 200
const speedWindow = 10_000
/** Files listed of a sync. */
const filesListed = 100
/** Files of former syncs that nobody went on with for so long are removed, in ms. */
const abandonedAfter = 7 * 24 * 3600_000

const noRows: ImportSummary = { imported: 0, skipped: 0, rejected: 0, embeddings: 0, seconds: 0 }

interface Job {
  readonly request: SyncRequest
  state: SyncState['state']
  plan: SyncPlan | null
  readonly files: Map<string, SyncedFile>
  fetchedBytes: number
  readonly samples: { at: number; done: number }[]
  rows: ImportSummary
  /** Those of tries before the one under way. */
  rowsBefore: ImportSummary
  rejectsFile: string | null
  readonly startedAt: number
  endedAt: number | null
  error: SyncState['error']
  abort: AbortController
  ended: Promise<void>
}

const isOver = (job: Job) => job.state === 'done' || job.state === 'failed' || job.state === 'cancelled'
const listRank: Readonly<Record<SyncedFile['state'], number>> = { failed: 0, downloading: 1, again: 1, importing: 2, waiting: 3, done: 4 }

function add(one: ImportSummary, other: Omit<ImportSummary, 'seconds'>): ImportSummary {
  return {
    imported: one.imported + other.imported,
    skipped: one.skipped + other.skipped,
    rejected: one.rejected + other.rejected,
    embeddings: one.embeddings + other.embeddings,
    seconds: one.seconds
  }
}

function speedOf({ samples, state }: Job): number | null {
  const [first, last] = [samples[0], samples.at(-1)]
  if (state !== 'running' || first === undefined || last === undefined || last.at - first.at < 500) return null
  return ((last.done - first.done) / (last.at - first.at)) * 1000
}

function describe(job: Job): SyncState {
  const files = [...job.files.values()]
  const sum = (of: (file: SyncedFile) => number) => files.reduce((total, file) => total + of(file), 0)
  const { request, state, plan, fetchedBytes, rows, rejectsFile, startedAt, endedAt, error } = job
  const [totalBytes, doneBytes, bytesPerSecond] = [sum(file => file.sizeBytes), sum(file => file.doneBytes), speedOf(job)]
  return {
    request,
    state,
    estimate: plan?.estimate ?? null,
    files: files.sort((a, b) => listRank[a.state] - listRank[b.state]).slice(0, filesListed),
    fileCount: files.length,
    filesDone: files.filter(file => file.state === 'done').length,
    filesFailed: files.filter(file => file.state === 'failed').length,
    totalBytes,
    doneBytes,
    fetchedBytes,
    bytesPerSecond,
    secondsLeft: bytesPerSecond === null || bytesPerSecond === 0 ? null : (totalBytes - doneBytes) / bytesPerSecond,
    rows: { ...rows, seconds: ((endedAt ?? Date.now()) - startedAt) / 1000 },
    rejectsFile,
    startedAt,
    endedAt,
    error
  }
}

export class Syncs {
  readonly #mirror: Mirror
  readonly #folder: string
  readonly #patience: Patience
  readonly #onChange: () => void
  readonly #watchers = new Set<EventQueue<SyncState | null>>()
  #job: Job | null = null
  #telling: NodeJS.Timeout | null = null

  /** `home` holds files that wait for their import; `onChange` hears when a sync begins and ends. */
  constructor(home: string, mirror: Mirror, onChange: () => void, patience = defaultPatience) {
    this.#mirror = mirror
    this.#folder = path.join(home, 'cache', 'sync')
    this.#patience = patience
    this.#onChange = onChange
  }

  #planOptions(
    request: Pick<SyncRequest, 'endpoint'>,
    signal: AbortSignal | undefined,
    onProgress: PlanOptions['onProgress']
  ): PlanOptions {
    const endpoint = (request.endpoint ?? bucketAddress).replace(/\/+$/, '')
    return {
      endpoint,
      signal,
      patience: this.#patience,
      hasAnswered: { yet: false },
      mirror: this.#mirror,
      folder: this.#folder,
      onProgress
    }
  }

  /** The bucket's models, or a model's sources. Throws `sync/...`. */
  list(
    { model, endpoint }: { model?: string | undefined; endpoint?: string | undefined },
    signal: AbortSignal | undefined
  ): Promise<string[]> {
    const options = this.#planOptions({ endpoint }, signal, () => undefined)
    return model === undefined ? listModels(options) : listSources(model, options)
  }

  /** What a sync would take: how far the listing is, then the estimate. */
  plan(request: SyncRequest, signal: AbortSignal | undefined): AsyncGenerator<SyncPlanEvent, void> {
    return streamWork<SyncPlanEvent, SyncPlanEvent>(signal, async (abort, report) => {
      const options = this.#planOptions(request, abort, progress => report({ type: 'progress', ...progress }))
      return { type: 'result', estimate: (await planSync(request, options)).estimate }
    })
  }

  /** The sync that is under way or was last; null where there was none. */
  get state(): SyncState | null {
    return this.#job === null ? null : describe(this.#job)
  }

  /** Begins a sync. Throws `sync/under-way` where one is. */
  start(request: SyncRequest): SyncState {
    if (this.#job !== null && !isOver(this.#job)) {
      throw new SpliceError('sync/under-way', 'a sync is under way', { hint: 'Wait for it, or cancel it first.' })
    }
    const job: Job = {
      request,
      state: 'listing',
      plan: null,
      files: new Map(),
      fetchedBytes: 0,
      samples: [],
      rows: noRows,
      rowsBefore: noRows,
      rejectsFile: null,
      startedAt: Date.now(),
      endedAt: null,
      error: null,
      abort: new AbortController(),
      ended: Promise.resolve()
    }
    this.#job = job
    job.ended = this.#work(job)
    this.#announce()
    return describe(job)
  }

  /** Works until all is done, or the job's signal ends it. */
  async #work(job: Job): Promise<void> {
    const { signal } = job.abort
    try {
      await withLock(path.join(this.#folder, 'lock'), { signal, cancelled, onWait: () => this.#change(job, 'waiting') }, async () => {
        await this.#bring(job, signal)
      })
      this.#end(job, 'done')
    } catch (thrown) {
      if (job.state === 'paused') return
      if (!signal.aborted) job.error = toErrorData(thrown)
      this.#end(job, signal.aborted ? 'cancelled' : 'failed')
    }
  }

  async #bring(job: Job, signal: AbortSignal): Promise<void> {
    const { request } = job
    this.#change(job, 'listing')
    const options = this.#planOptions(request, signal, () => undefined)
    const plan = await planSync(request, options)
    if (signal.aborted) throw cancelled()
    job.plan ??= plan
    for (const { object } of plan.files) {
      job.files.set(object.key, { key: object.key, sizeBytes: object.bytes, doneBytes: 0, state: 'waiting', error: null })
    }
    await this.#tidy(plan)
    if (plan.files.length === 0) return
    await checkRoom(plan, this.#folder, (await this.#mirror.state()).file)
    this.#change(job, 'running')
    const sync = new Sync(plan.files, {
      mirror: this.#mirror,
      endpoint: options.endpoint,
      folder: this.#folder,
      withEmbeddings: request.embeddings,
      keepIn: request.keepIn,
      patience: this.#patience,
      signal,
      onFile: (file, fetched) => this.#onFile(job, file, fetched),
      onImport: progress => {
        job.rows = add(job.rowsBefore, progress.soFar)
      }
    })
    this.#onChange()
    try {
      const { result, rejectsFile } = await sync.run()
      job.rows = add(job.rowsBefore, result)
      job.rejectsFile = rejectsFile ?? job.rejectsFile
    } finally {
      this.#onChange()
    }
  }

  #onFile(job: Job, file: SyncedFile, fetched: number): void {
    job.files.set(file.key, file)
    job.fetchedBytes += fetched
    const now = Date.now()
    const done = (job.samples.at(-1)?.done ?? 0) + fetched
    job.samples.push({ at: now, done })
    while ((job.samples[0]?.at ?? now) < now - speedWindow) job.samples.shift()
    this.#announce()
  }

  /** Removes what former syncs left and nobody went on with. */
  async #tidy(plan: SyncPlan): Promise<void> {
    const wanted = new Set(plan.files.map(({ object }) => path.basename(versionFolder(this.#folder, object))))
    for (const name of await fs.readdir(this.#folder).catch(() => [] as string[])) {
      if (!/^[0-9a-f]{16}$/.test(name) || wanted.has(name)) continue
      const stat = await fs.stat(path.join(this.#folder, name)).catch(() => null)
      if (stat !== null && Date.now() - stat.mtimeMs > abandonedAfter) {
        await fs.rm(path.join(this.#folder, name), { recursive: true, force: true })
      }
    }
  }

  #change(job: Job, state: SyncState['state']): void {
    // A pause that was asked for is not taken back by what is still ending.
    if (job.state !== 'paused' && !isOver(job)) job.state = state
    this.#announce()
  }

  #end(job: Job, state: 'done' | 'failed' | 'cancelled'): void {
    job.state = state
    job.endedAt = Date.now()
    this.#announce()
  }

  #current(...states: SyncState['state'][]): Job {
    if (this.#job !== null && states.includes(this.#job.state)) return this.#job
    throw new SpliceError('sync/none', `no sync is ${states.at(-1)}`, { hint: 'Start one.' })
  }

  /** Stops fetching and importing for now; settles when both have stopped. */
  async pause(): Promise<SyncState> {
    const job = this.#current('waiting', 'listing', 'running')
    job.state = 'paused'
    job.abort.abort()
    await job.ended
    job.rowsBefore = job.rows
    this.#announce()
    return describe(job)
  }

  /** Goes on where it was paused. */
  resume(): SyncState {
    const job = this.#current('paused')
    job.state = 'listing'
    job.abort = new AbortController()
    job.ended = this.#work(job)
    this.#announce()
    return describe(job)
  }

  /** Ends it; settles when nothing is written any more. What it has brought stays. */
  async cancel(): Promise<SyncState> {
    const job = this.#current('paused', 'waiting', 'listing', 'running')
    const wasPaused = job.state === 'paused'
    job.abort.abort()
    await job.ended
    if (wasPaused) this.#end(job, 'cancelled')
    return describe(job)
  }

  #announce(): void {
    if (this.#watchers.size === 0 || this.#telling !== null) return
    this.#telling = setTimeout(() => {
      this.#telling = null
      const { state } = this
      for (const watcher of this.#watchers) watcher.push(state)
    }, tellDelay)
  }

  /** The state at once, then whenever it changed. */
  async *watch(signal: AbortSignal | undefined): AsyncGenerator<SyncState | null, void> {
    const states = new EventQueue<SyncState | null>()
    const stop = () => states.close()
    signal?.addEventListener('abort', stop, { once: true })
    this.#watchers.add(states)
    try {
      yield this.state
      if (signal?.aborted) return
      yield* states
    } finally {
      this.#watchers.delete(states)
      signal?.removeEventListener('abort', stop)
    }
  }

  /** Stops everything; settles when nothing writes any more. */
  async close(): Promise<void> {
    for (const watcher of this.#watchers) watcher.close()
    if (this.#telling !== null) clearTimeout(this.#telling)
    this.#job?.abort.abort()
    await this.#job?.ended
  }
}
