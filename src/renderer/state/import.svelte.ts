/** The import under way, if any: its progress, cancel, summary and rejects. It goes on while other views are open. */
import type { ErrorData } from '../../contract/errors.ts'
import type { ImportProgress, ImportSummary, RejectedRows } from '../../contract/explanations.ts'
import { client, errorOf } from './connection.svelte.ts'
import { notices } from './notices.svelte.ts'
import { formatCount } from './numbers.ts'

/** Rejected rows that are shown; the file has all. */
const rejectsShown = 100

class ExplanationImport {
  /** Whether the dialog is open. */
  open = $state(false)
  running = $state(false)
  /** What was typed or chosen. */
  path = $state('')
  /** Whether embeddings in the files are kept, for finding similar explanations. */
  embeddings = $state(false)
  /** What the last import was of. */
  paths = $state.raw<readonly string[]>([])
  progress = $state.raw<ImportProgress | null>(null)
  summary = $state.raw<ImportSummary | null>(null)
  /** Where rejected rows were written, with the reasons, and the first of them. */
  rejectsFile = $state.raw<string | null>(null)
  rejects = $state.raw<RejectedRows | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)

  #abort: AbortController | null = null

  /** Imports files or folders; one import at a time. */
  async start(paths: readonly string[]): Promise<void> {
    if (this.running) {
      notices.show({ level: 'warning', key: 'import', message: 'An import is under way. Wait for it, or cancel it first.' })
      return
    }
    const abort = new AbortController()
    this.#abort = abort
    this.running = true
    this.paths = paths
    this.path = paths.length === 1 ? (paths[0] ?? '') : this.path
    this.progress = null
    this.summary = null
    this.rejectsFile = null
    this.rejects = null
    this.error = null
    this.cancelled = false
    try {
      const request = { paths: [...paths], embeddings: this.embeddings }
      for await (const event of await client.explanations.importFiles(request, { signal: abort.signal })) {
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
    if (this.rejectsFile !== null) await this.#readRejects(this.rejectsFile)
    if (!this.open) this.#tell()
  }

  /** Goes on with an import that was cancelled or failed: what is in the mirror is skipped. */
  again(): void {
    void this.start(this.paths)
  }

  async #readRejects(file: string): Promise<void> {
    try {
      this.rejects = await client.explanations.rejects({ file, limit: rejectsShown })
    } catch (thrown) {
      this.error = errorOf(thrown)
    }
  }

  /** Says what became of it where its dialog is closed. */
  #tell(): void {
    const action = { label: 'Show', act: () => (this.open = true) }
    if (this.error !== null)
      notices.show({ level: 'error', key: 'import', message: 'The explanations were not imported.', error: this.error, action })
    else if (this.summary !== null) {
      const { imported, skipped, rejected } = this.summary
      const message = `Imported ${formatCount(imported)} explanations; ${formatCount(skipped)} were there already, ${formatCount(rejected)} were rejected.`
      notices.show({ level: rejected > 0 ? 'warning' : 'info', key: 'import', message, action })
    }
  }

  /** Stops the import; what is stored stays. */
  cancel(): void {
    this.#abort?.abort()
  }
}

export const explanationImport = new ExplanationImport()
