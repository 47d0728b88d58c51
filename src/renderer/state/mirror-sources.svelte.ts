/** The sources in the mirror: what can be searched, and whether anything is known of an SAE's source. */
import type { ErrorData } from '../../contract/errors.ts'
import type { SourceSummary } from '../../contract/explanations.ts'
import { client, errorOf } from './connection.svelte.ts'

class MirrorSources {
  /** Null before they are known. */
  list = $state.raw<SourceSummary[] | null>(null)
  error = $state.raw<ErrorData | null>(null)

  #names = $derived(new Set(this.list?.map(({ source }) => source) ?? []))

  /** Explanations in all. */
  rows = $derived(this.list?.reduce((sum, source) => sum + source.explanations, 0) ?? 0)

  /** Asks for them. */
  async load(): Promise<void> {
    try {
      this.list = await client.explanations.sources()
      this.error = null
    } catch (thrown) {
      const error = errorOf(thrown)
      if (error.kind !== 'connection/lost') this.error = error
    }
  }

  /** Whether the mirror is known to hold nothing of a source (`modelId/layer`). */
  lacks(source: string): boolean {
    return this.list !== null && !this.#names.has(source)
  }
}

export const mirrorSources = new MirrorSources()
