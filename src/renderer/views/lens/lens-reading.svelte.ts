/** The logit lens of the run that is shown: read anew when the run or the positions change, kept while other views are open. */
import type { ErrorData } from '../../../contract/errors.ts'
import type { LensResult } from '../../../contract/logit-lens.ts'
import { client, errorOf } from '../../state/connection.svelte.ts'
import type { TaskProgress } from '../../state/prompt-task.ts'
import type { RunInput } from '../../state/workspace.svelte.ts'

/** Tokens that each cell lists. */
export const listed = 10

/** The run that is read; `positions` is half-open, null for the whole prompt. */
export type LensQuestion = { run: RunInput; positions: [number, number] | null }

class LensReading {
  /** What was read last; it stays until the next one arrives. */
  result = $state.raw<LensResult | null>(null)
  /** The run that `result` is of. */
  of = $state.raw<RunInput | null>(null)
  reading = $state(false)
  progress = $state.raw<TaskProgress | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)

  #question: LensQuestion | null = null
  #abort: AbortController | null = null

  /** Reads unless that is done or under way; what was asked before is cancelled. */
  async ask(question: LensQuestion): Promise<void> {
    const asked = this.#question
    if (asked !== null && asked.run === question.run && String(asked.positions) === String(question.positions)) return
    this.#abort?.abort()
    const abort = new AbortController()
    this.#abort = abort
    this.#question = question
    this.reading = true
    this.error = null
    this.cancelled = false
    this.progress = null
    const { run, positions } = question
    try {
      const request = { run: { ...run, topK: listed, keep: false }, positions }
      for await (const event of await client.runs.logitLens(request, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') this.progress = { stage: event.stage, fraction: event.fraction }
        else {
          this.result = event.result
          this.of = run
        }
      }
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#abort === abort) {
        this.reading = false
        this.progress = null
        this.#abort = null
      }
    }
  }

  /** Stops; what was read before stays. */
  cancel(): void {
    this.#abort?.abort()
    this.#abort = null
    this.reading = false
    this.progress = null
    this.cancelled = true
  }

  /** Reads once more what was cancelled or failed. */
  again(): void {
    const question = this.#question
    this.#question = null
    if (question !== null) void this.ask(question)
  }
}

export const lensReading = new LensReading()
