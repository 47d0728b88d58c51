/** Saving hook points of the run that is shown: to a path of the engine's machine, or as a download of the browser. */
import type { ErrorData } from '../../../contract/errors.ts'
import { downloadFile, fetchHeldFile } from '../../components/export.ts'
import { client, errorOf } from '../../state/connection.svelte.ts'
import type { TaskProgress } from '../../state/prompt-task.ts'
import type { RunInput } from '../../state/workspace.svelte.ts'

/** What to save of a run. `hooks` names them, or takes all. */
export type SaveQuestion = { run: RunInput; variants: readonly string[]; hooks: 'all' | string[]; logits: boolean }

class Saving {
  /** Whether the dialog is open. */
  open = $state(false)
  folder = $state('')
  name = $state('')
  onlyPicked = $state(false)
  allVariants = $state(false)
  logits = $state(false)

  working = $state(false)
  progress = $state.raw<TaskProgress | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)
  /** Where the last file is, or that the browser has it. */
  saved = $state.raw<{ path: string } | { downloaded: string; bytes: number } | null>(null)

  #abort: AbortController | null = null

  #request({ run, variants, hooks }: SaveQuestion): RunInput {
    return { ...run, variants: run.variants.filter(({ name }) => variants.includes(name)), hooks }
  }

  async #work(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#abort?.abort()
    const abort = new AbortController()
    this.#abort = abort
    this.working = true
    this.progress = null
    this.error = null
    this.cancelled = false
    this.saved = null
    try {
      await work(abort.signal)
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#abort === abort) {
        this.working = false
        this.progress = null
        this.#abort = null
      }
    }
  }

  /** Writes a file where the engine runs. */
  toPath(question: SaveQuestion, path: string): Promise<void> {
    return this.#work(async signal => {
      const save = { file: path, logits: question.logits }
      for await (const event of await client.runs.run({ ...this.#request(question), save, keep: false }, { signal })) {
        if (event.type === 'progress') this.progress = { stage: event.stage, fraction: event.fraction }
        else this.saved = { path }
      }
    })
  }

  /** Fetches the file into the browser's downloads. */
  download(question: SaveQuestion, name: string): Promise<void> {
    return this.#work(async signal => {
      const request = { run: this.#request(question), logits: question.logits }
      for await (const event of await client.hooks.download(request, { signal })) {
        if (event.type === 'progress') {
          this.progress = { stage: event.stage, fraction: event.fraction / 2 }
          continue
        }
        const part = (offset: number, length: number) => client.hooks.downloadPart({ id: event.id, offset, length }, { signal })
        const tell = (share: number) => {
          this.progress = { stage: 'fetching the file', fraction: 0.5 + 0.5 * share }
        }
        downloadFile(name, await fetchHeldFile(event.bytes, part, tell))
        this.saved = { downloaded: name, bytes: event.bytes }
        // Ending the stream lets the engine remove its file.
        return
      }
    })
  }

  cancel(): void {
    this.#abort?.abort()
    this.#abort = null
    this.working = false
    this.progress = null
    this.cancelled = true
  }
}

export const saving = new Saving()
