/** The engine's sync with Neuronpedia's bulk data, followed from the first look at it; it goes on when nobody looks. */
import type { ErrorData } from '../../contract/errors.ts'
import type { RejectedRows } from '../../contract/explanations.ts'
import type { SyncEstimate, SyncRequest, SyncState } from '../../contract/sync.ts'
import { client, connection, errorOf } from './connection.svelte.ts'

const rejectsShown = 100

class ExplanationSync {
  /** Whether the dialog is open, and the source it was opened for, if any. */
  open = $state(false)
  wanted = $state<string | null>(null)
  /** The one under way or the last one of this engine; null where there was none. */
  state = $state.raw<SyncState | null>(null)
  /** How far the listing behind an estimate is, while it is made. */
  planning = $state.raw<{ sources: number; files: number } | null>(null)
  estimate = $state.raw<SyncEstimate | null>(null)
  rejects = $state.raw<RejectedRows | null>(null)
  error = $state.raw<ErrorData | null>(null)

  /** Whether it is neither over nor absent. */
  active = $derived(this.state !== null && !['done', 'failed', 'cancelled'].includes(this.state.state))
  /** Share of its bytes that is here. */
  fraction = $derived(this.state === null || this.state.totalBytes === 0 ? 0 : this.state.doneBytes / this.state.totalBytes)

  #following = 0
  #plan: AbortController | null = null

  /** Follows it on the present connection; again on the next one. */
  async follow(): Promise<void> {
    const { opened } = connection
    if (opened === 0 || this.#following === opened) return
    this.#following = opened
    try {
      for await (const state of await client.sync.watch()) this.state = state
    } catch (thrown) {
      const error = errorOf(thrown)
      if (error.kind !== 'connection/lost') this.error = error
    }
  }

  /** Opens the dialog, for a source where one is named. */
  show(source: string | null = null): void {
    this.wanted = source
    this.open = true
  }

  /** Asks the bucket what a sync would take. */
  async plan(request: SyncRequest): Promise<void> {
    this.forgetPlan()
    const abort = new AbortController()
    this.#plan = abort
    this.error = null
    this.planning = { sources: 0, files: 0 }
    try {
      for await (const event of await client.sync.plan(request, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') this.planning = event
        else this.estimate = event.estimate
      }
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#plan === abort) this.forgetPlan(this.estimate)
    }
  }

  /** Stops asking; `estimate` is what stays. */
  forgetPlan(estimate: SyncEstimate | null = null): void {
    this.#plan?.abort()
    this.#plan = null
    this.planning = null
    this.estimate = estimate
  }

  async #do(work: () => Promise<SyncState>): Promise<void> {
    this.error = null
    try {
      this.state = await work()
    } catch (thrown) {
      this.error = errorOf(thrown)
    }
  }

  start(request: SyncRequest): Promise<void> {
    this.rejects = null
    this.forgetPlan()
    return this.#do(() => client.sync.start(request))
  }

  pause(): Promise<void> {
    return this.#do(() => client.sync.pause())
  }

  resume(): Promise<void> {
    return this.#do(() => client.sync.resume())
  }

  cancel(): Promise<void> {
    return this.#do(() => client.sync.cancel())
  }

  async readRejects(file: string): Promise<void> {
    try {
      this.rejects = await client.explanations.rejects({ file, limit: rejectsShown })
    } catch (thrown) {
      this.error = errorOf(thrown)
    }
  }
}

export const explanationSync = new ExplanationSync()
