/** A test of the prompt: the answers that are written, the test under way, and the result that is shown. */
import type { Answer, AnswersResult } from '../../contract/answers.ts'
import type { ErrorData } from '../../contract/errors.ts'
import { client, errorOf } from './connection.svelte.ts'
import type { PromptTask, TaskProgress } from './prompt-task.ts'
import type { ShownVariant } from './shown-variants.ts'
import { parseTokenIds } from './token-ids.ts'
import { workspace } from './workspace.svelte.ts'

/** An answer as it is written; `key` stays with it. */
export type DraftAnswer = { key: number; kind: 'text' | 'ids'; value: string }

/** A place that something is predicted at: an answer's token, or with null the end of the prompt. */
export type AnswerPlace = { answer: number; token: number } | null

const mostGuesses = 1000

/** The answer as the engine takes it, or what is wrong with it. `place` counts from one. */
export function askedAnswer({ kind, value }: DraftAnswer, place: number, vocabulary: number | null): Answer | ErrorData {
  const empty = {
    kind: 'run/empty-answer',
    message: `answer ${place} is empty`,
    hint: 'Write something, or remove it.',
    field: 'answers',
    mistake: true
  }
  if (kind === 'text') return value === '' ? empty : { text: value }
  const { ids, error } = parseTokenIds(value, vocabulary)
  if (error !== null) return { ...error, message: `answer ${place}: ${error.message}` }
  return ids.length === 0 ? empty : { ids }
}

const isError = (asked: Answer | ErrorData): asked is ErrorData => 'kind' in asked

class AnswerTest implements PromptTask {
  answers = $state.raw<DraftAnswer[]>([{ key: 0, kind: 'text', value: '' }])
  prependSpace = $state(true)
  /** How many predictions are listed, as it is typed. */
  topK = $state('10')

  result = $state.raw<AnswersResult | null>(null)
  /** The variants of the result shown, with their colours. */
  variants = $state.raw<ShownVariant[]>([])
  running = $state(false)
  progress = $state.raw<TaskProgress | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)
  /** The place whose predictions are looked at. */
  place = $state.raw<AnswerPlace>(null)

  #abort: AbortController | null = null
  #lastKey = 0

  get hasResult(): boolean {
    return this.result !== null
  }

  asked = $derived(this.answers.map((answer, place) => askedAnswer(answer, place + 1, workspace.model?.vocabulary ?? null)))

  /** What is wrong with ids that are written; an answer that is still empty is not wrong before it is tested. */
  mistakes = $derived(this.asked.map(asked => (isError(asked) && asked.kind !== 'run/empty-answer' ? asked : null)))

  topKError = $derived(
    /^\d+$/.test(this.topK.trim()) && Number(this.topK) >= 1 && Number(this.topK) <= mostGuesses ? null : `from 1 to ${mostGuesses}`
  )

  add(): number {
    this.#lastKey += 1
    this.answers = [...this.answers, { key: this.#lastKey, kind: this.answers.at(-1)?.kind ?? 'text', value: '' }]
    return this.#lastKey
  }

  change(key: number, change: Partial<Omit<DraftAnswer, 'key'>>): void {
    this.answers = this.answers.map(answer => (answer.key === key ? { ...answer, ...change } : answer))
  }

  /** Removes an answer; the last one stays. */
  remove(key: number): void {
    if (this.answers.length > 1) this.answers = this.answers.filter(answer => answer.key !== key)
  }

  /** Tests the prompt; a test under way is cancelled first. */
  async start(): Promise<void> {
    const run = workspace.request()
    const answers = this.asked
    const mistake = answers.find(isError)
    if (run === null || this.topKError !== null) return
    this.cancel()
    this.cancelled = false
    this.error = mistake ?? null
    if (mistake !== undefined) return
    const abort = new AbortController()
    this.#abort = abort
    const variants = workspace.variants
    const { model, saes, prompt, processing, layerOrder, provider } = run
    const request = {
      ...{ model, saes, prompt, variants: run.variants, processing, layerOrder, provider },
      answers: answers.filter((asked): asked is Answer => !isError(asked)),
      prependSpace: this.prependSpace,
      topK: Number(this.topK)
    }
    this.running = true
    this.progress = null
    try {
      for await (const event of await client.runs.testPrompt(request, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') {
          this.progress = { stage: event.stage, fraction: event.fraction }
          continue
        }
        this.variants = variants
        this.result = event.result
        const { answer = 0, token = 0 } = this.place ?? {}
        if (event.result.answers[answer]?.tokens[token] === undefined) this.place = null
      }
      void workspace.save()
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#abort === abort) this.#end()
    }
  }

  #end(): void {
    this.#abort = null
    this.running = false
    this.progress = null
  }

  /** Stops the test under way; the result shown before stays. */
  cancel(): void {
    if (this.#abort === null) return
    this.#abort.abort()
    this.#end()
    this.cancelled = true
  }
}

export const answerTest = new AnswerTest()
