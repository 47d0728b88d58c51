/** The import under way, if any: its progress, cancel and summary. It goes on while other views are open. */
import type { ErrorData } from '../../../contract/errors.ts'
import type { ImportSummary } from '../../../contract/explanations.ts'
import { client, errorOf } from '../../state/connection.svelte.ts'
import { search } from './search.svelte.ts'

class ExplanationImport {
  /** Whether the dialog is open. */
  open = $state(false)
  running = $state(false)
  path = $state('')
  progress = $state.raw<{ file: string; rows: number; fraction: number } | null>(null)
  summary = $state.raw<ImportSummary | null>(null)
  /** Where rejected rows were written, with the reasons. */
  rejectsFile = $state.raw<string | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)

  #abort: AbortController | null = null

  /** Imports files or folders; one import at a time. */
  async start(paths: string[]): Promise<void> {
    if (this.running) return
    const abort = new AbortController()
    this.#abort = abort
    this.running = true
    this.progress = null
    this.summary = null
    this.rejectsFile = null
    this.error = null
    this.cancelled = false
    try {
      for await (const event of await client.explanations.importFiles({ paths }, { signal: abort.signal })) {
        if (event.type === 'progress') this.progress = event
        else {
          this.summary = event.result
          this.rejectsFile = event.rejectsFile
        }
      }
      this.cancelled = abort.signal.aborted
    } catch (thrown) {
      if (abort.signal.aborted) this.cancelled = true
      else this.error = errorOf(thrown)
    } finally {
      this.running = false
      this.#abort = null
    }
    await search.loadSources()
    search.again()
  }

  /** Stops the import. */
  cancel(): void {
    this.#abort?.abort()
  }
}

export const explanationImport = new ExplanationImport()
