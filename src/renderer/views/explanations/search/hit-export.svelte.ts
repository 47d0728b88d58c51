/** All hits of a search as a file: to a path of the engine's machine, or as a download of the browser. */
import type { ErrorData } from '../../../../contract/errors.ts'
import type { HitFormat } from '../../../../contract/hit-export.ts'
import { downloadFile, fetchHeldFile } from '../../../components/export.ts'
import { client, errorOf } from '../../../state/connection.svelte.ts'
import { notices } from '../../../state/notices.svelte.ts'
import { formatBytes, formatCount } from '../../../state/numbers.ts'
import { type Question, requestOf } from './question.ts'

class HitExport {
  /** Hits written so far while an export is under way. */
  hits = $state<number | null>(null)
  error = $state.raw<ErrorData | null>(null)

  #abort: AbortController | null = null

  /** Exports every hit of a question; what is under way is cancelled first. */
  async start(question: Question, format: HitFormat): Promise<void> {
    this.#abort?.abort()
    this.error = null
    const name = `splice-${question.query.replaceAll(/[^\p{L}\p{N}]+/gu, '-').slice(0, 40) || 'hits'}.${format}`
    const file = window.splice === undefined ? undefined : await window.splice.chooseSaveFile(name)
    if (file === null) return
    const abort = new AbortController()
    this.#abort = abort
    this.hits = 0
    try {
      const request = { ...requestOf(question), format, ...(file === undefined ? {} : { file }) }
      for await (const event of await client.explanations.export(request, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        this.hits = event.hits
        if (event.type === 'progress') continue
        if (event.type === 'ready') {
          const part = (offset: number, length: number) =>
            client.explanations.exportPart({ id: event.id, offset, length }, { signal: abort.signal })
          downloadFile(name, await fetchHeldFile(event.bytes, part))
        }
        const where = event.type === 'written' ? event.file : `${name} among the browser's downloads`
        notices.show({
          level: 'info',
          key: 'export',
          message: `${formatCount(event.hits)} hits, ${formatBytes(event.bytes)}, are in ${where}.`
        })
        // Ending the stream lets the engine remove the file that it held.
        return
      }
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#abort === abort) {
        this.#abort = null
        this.hits = null
      }
    }
  }

  /** Stops the export; nothing is left behind. */
  cancel(): void {
    this.#abort?.abort()
    this.#abort = null
    this.hits = null
  }
}

export const hitExport = new HitExport()
