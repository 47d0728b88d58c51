/** The hook points of the run that is shown: listed anew when the run, the variant or the comparison changes, kept while other views are open. */
import type { ErrorData } from '../../../contract/errors.ts'
import type { HookTable } from '../../../contract/hooks.ts'
import { client, errorOf } from '../../state/connection.svelte.ts'
import type { TaskProgress } from '../../state/prompt-task.ts'
import type { RunInput } from '../../state/workspace.svelte.ts'
import type { Sort } from './hook-rows.ts'

/** The run and the variants whose hook points are wanted. */
export type HookQuestion = { run: RunInput; variant: string; against: string | undefined }

class HookList {
  table = $state.raw<HookTable | null>(null)
  listing = $state(false)
  progress = $state.raw<TaskProgress | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)
  /** Names picked for saving, by variant-independent name. */
  picked = $state.raw<ReadonlySet<string>>(new Set())
  sort = $state.raw<Sort>({ column: 'order', descending: false })
  scrollOffset = 0

  #question: HookQuestion | null = null
  #abort: AbortController | null = null

  /** Whether the table, or the one under way, answers this question. */
  #isAsked({ run, variant, against }: HookQuestion): boolean {
    const asked = this.#question
    return asked !== null && asked.run === run && asked.variant === variant && asked.against === against
  }

  /** Lists them unless that is done or under way; what was asked before is cancelled. */
  async ask(question: HookQuestion): Promise<void> {
    if (this.#isAsked(question)) return
    this.#abort?.abort()
    const abort = new AbortController()
    this.#abort = abort
    this.#question = question
    this.listing = true
    this.error = null
    this.cancelled = false
    this.progress = null
    try {
      for await (const event of await client.hooks.list(question, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') this.progress = { stage: event.stage, fraction: event.fraction }
        else this.table = event.table
      }
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#abort === abort) {
        this.listing = false
        this.progress = null
        this.#abort = null
      }
    }
  }

  /** Stops listing; the table shown before stays. */
  cancel(): void {
    this.#abort?.abort()
    this.#abort = null
    this.listing = false
    this.progress = null
    this.cancelled = true
  }

  /** Lists once more what was cancelled or failed. */
  again(): void {
    const question = this.#question
    this.#question = null
    if (question !== null) void this.ask(question)
  }

  pick(name: string, isPicked: boolean): void {
    const next = new Set(this.picked)
    if (isPicked) next.add(name)
    else next.delete(name)
    this.picked = next
  }

  pickAll(names: readonly string[], isPicked: boolean): void {
    const next = new Set(this.picked)
    for (const name of names) {
      if (isPicked) next.add(name)
      else next.delete(name)
    }
    this.picked = next
  }
}

export const hookList = new HookList()
