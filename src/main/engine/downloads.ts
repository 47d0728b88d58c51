/** The downloads of this engine: started, followed, cancelled and started again by any client; they outlive the window that began them. */
import type { Download, DownloadedFile, DownloadRequest } from '../../contract/downloads.ts'
import { SpliceError, toErrorData } from '../../contract/errors.ts'
import { type DownloadOrder, downloadOrder } from '../hub/download.ts'
import { hubCacheFolder } from '../hub/environment.ts'
import { hubToken } from '../hub/token.ts'
import { findPublished } from '../library/published.ts'
import { EventQueue } from './event-queue.ts'

/** How long changes gather before watchers hear of them, and over how long the speed is measured; ms. */
const tellDelay = 200
const speedWindow = 5000
/** Files listed of one download, and downloads kept in the list. */
const filesListed = 100
const downloadsKept = 50

interface Job {
  readonly id: string
  readonly request: DownloadRequest
  title: string
  repo: string
  revision: string
  state: Download['state']
  commit: string | null
  files: Map<string, DownloadedFile>
  fetchedBytes: number
  /** Fetched bytes at times of the speed's window. */
  readonly samples: { at: number; bytes: number }[]
  startedAt: number
  endedAt: number | null
  path: string | null
  error: Download['error']
  abort: AbortController
  ended: Promise<void>
}

/** What a request means, and how it is called. Throws `download/unknown-sae` for names that the catalogue does not have. */
async function orderOf(request: DownloadRequest): Promise<DownloadOrder & { title: string }> {
  if (request.kind === 'repository') {
    const { repo, revision, patterns } = request
    const at = revision === 'main' ? repo : `${repo}@${revision}`
    return patterns.length === 0
      ? { repo, revision, want: 'model', title: at }
      : { repo, revision, want: { patterns }, title: `${at} ${patterns.join(' ')}` }
  }
  const { repo, path } = await findPublished(request.release, request.saeId)
  return { repo, revision: 'main', want: { sae: path }, title: `${request.release} ${request.saeId}` }
}

function speedOf(job: Job): number | null {
  const [first] = job.samples
  const last = job.samples.at(-1)
  if (job.state !== 'running' || first === undefined || last === undefined || last.at - first.at < 500) return null
  return ((last.bytes - first.bytes) / (last.at - first.at)) * 1000
}

const listRank: Readonly<Record<DownloadedFile['state'], number>> = { running: 0, checking: 0, waiting: 1, done: 2, cached: 3 }

function describe(job: Job): Download {
  const files = [...job.files.values()]
  const sum = (of: (file: DownloadedFile) => number) => files.reduce((total, file) => total + of(file), 0)
  const { id, title, request, state, repo, revision, commit, fetchedBytes, startedAt, endedAt, path, error } = job
  return {
    id,
    title,
    request,
    state,
    repo,
    revision,
    commit,
    files: files.sort((a, b) => listRank[a.state] - listRank[b.state]).slice(0, filesListed),
    fileCount: files.length,
    filesDone: files.filter(file => file.state === 'done' || file.state === 'cached').length,
    totalBytes: sum(file => file.sizeBytes),
    doneBytes: sum(file => file.doneBytes),
    fetchedBytes,
    bytesPerSecond: speedOf(job),
    startedAt,
    endedAt,
    path,
    error
  }
}

export class Downloads {
  readonly #home: string
  readonly #jobs: Job[] = []
  readonly #watchers = new Set<EventQueue<Download[]>>()
  #telling: NodeJS.Timeout | null = null
  #last = 0

  constructor(home: string) {
    this.#home = home
  }

  /** All downloads, newest first. */
  list(): Download[] {
    return this.#jobs.map(describe)
  }

  /** Begins a download. One that is under way for the same request is given back instead. Throws for names that mean nothing. */
  async start(request: DownloadRequest): Promise<Download> {
    const order = await orderOf(request)
    const same = this.#jobs.find(job => job.title === order.title && (job.state === 'preparing' || job.state === 'running'))
    if (same !== undefined) return describe(same)
    this.#last += 1
    const job: Job = {
      id: `${process.pid}-${this.#last}`,
      request,
      title: order.title,
      repo: order.repo,
      revision: order.revision,
      state: 'preparing',
      commit: null,
      files: new Map(),
      fetchedBytes: 0,
      samples: [],
      startedAt: Date.now(),
      endedAt: null,
      path: null,
      error: null,
      abort: new AbortController(),
      ended: Promise.resolve()
    }
    this.#jobs.unshift(job)
    while (this.#jobs.length > downloadsKept) {
      const old = this.#jobs.findLastIndex(other => other.endedAt !== null)
      if (old === -1) break
      this.#jobs.splice(old, 1)
    }
    job.ended = this.#work(job, order)
    this.#announce()
    return describe(job)
  }

  async #work(job: Job, order: DownloadOrder): Promise<void> {
    try {
      job.path = await downloadOrder(order, {
        cache: hubCacheFolder(),
        token: await hubToken(this.#home),
        signal: job.abort.signal,
        onPlan: ({ commit, files }) => {
          job.commit = commit
          job.files = new Map(files.map(file => [file.path, file]))
          job.state = 'running'
          this.#announce()
        },
        onFile: (file, fetched) => {
          job.files.set(file.path, file)
          job.fetchedBytes += fetched
          const now = Date.now()
          job.samples.push({ at: now, bytes: job.fetchedBytes })
          while ((job.samples[0]?.at ?? now) < now - speedWindow) job.samples.shift()
          this.#announce()
        }
      })
      job.state = 'done'
    } catch (thrown) {
      const error = toErrorData(thrown)
      job.state = job.abort.signal.aborted ? 'cancelled' : 'failed'
      job.error = job.state === 'cancelled' ? null : error
    }
    job.endedAt = Date.now()
    this.#announce()
  }

  #find(id: string): Job {
    const job = this.#jobs.find(candidate => candidate.id === id)
    if (job !== undefined) return job
    throw new SpliceError('download/unknown', `there is no download ${id}`, { hint: 'The engine was restarted since; start it again.' })
  }

  /** Stops a download; settles when it has stopped. What was fetched stays for the next time. */
  async cancel(id: string): Promise<void> {
    const job = this.#find(id)
    job.abort.abort()
    await job.ended
  }

  /** Starts a failed or cancelled download again, in the place of the former try. */
  async again(id: string): Promise<Download> {
    const { request } = this.#find(id)
    await this.dismiss(id)
    return this.start(request)
  }

  /** Takes a download from the list, cancelling it where it runs. What it has brought stays. */
  async dismiss(id: string): Promise<void> {
    await this.cancel(id)
    const at = this.#jobs.findIndex(job => job.id === id)
    if (at !== -1) this.#jobs.splice(at, 1)
    this.#announce()
  }

  #announce(): void {
    if (this.#watchers.size === 0 || this.#telling !== null) return
    this.#telling = setTimeout(() => {
      this.#telling = null
      const list = this.list()
      for (const watcher of this.#watchers) watcher.push(list)
    }, tellDelay)
  }

  /** The list at once, then whenever it changed. */
  async *watch(signal: AbortSignal | undefined): AsyncGenerator<Download[], void> {
    const lists = new EventQueue<Download[]>()
    const stop = () => lists.close()
    signal?.addEventListener('abort', stop, { once: true })
    this.#watchers.add(lists)
    try {
      yield this.list()
      if (signal?.aborted) return
      yield* lists
    } finally {
      this.#watchers.delete(lists)
      signal?.removeEventListener('abort', stop)
    }
  }

  /** Stops everything; settles when nothing writes any more. */
  async close(): Promise<void> {
    for (const watcher of this.#watchers) watcher.close()
    if (this.#telling !== null) clearTimeout(this.#telling)
    for (const job of this.#jobs) job.abort.abort()
    await Promise.all(this.#jobs.map(job => job.ended))
  }
}
