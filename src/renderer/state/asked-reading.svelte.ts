/** What is read of the run that is shown whenever its question changes, and stays while other views are open. */
import type { ErrorData } from '../../contract/errors.ts'
import { errorOf } from './connection.svelte.ts'
import type { TaskProgress } from './prompt-task.ts'

/** A stream of the engine: how far it is, then what was read. */
type Stream<Answer> = AsyncIterable<{ type: 'progress'; stage: string; fraction: number } | Answer>

/** One question at a time; what was read before stays until the next answer arrives. */
export abstract class AskedReading<Question, Answer extends { type: 'result' }> {
  reading = $state(false)
  progress = $state.raw<TaskProgress | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)

  #question: Question | null = null
  #abort: AbortController | null = null

  protected abstract isSame(one: Question, other: Question): boolean
  protected abstract open(question: Question, signal: AbortSignal): Promise<Stream<Answer>>
  protected abstract take(answer: Answer, question: Question): void

  /** Reads unless that is done or under way; what was asked before is cancelled. */
  async ask(question: Question): Promise<void> {
    if (this.#question !== null && this.isSame(this.#question, question)) return
    this.#abort?.abort()
    const abort = new AbortController()
    this.#abort = abort
    this.#question = question
    this.reading = true
    this.error = null
    this.cancelled = false
    this.progress = null
    try {
      for await (const event of await this.open(question, abort.signal)) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') this.progress = { stage: event.stage, fraction: event.fraction }
        else this.take(event, question)
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
