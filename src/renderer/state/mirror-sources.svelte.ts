/** The sources in the mirror: what can be searched, and whether anything is known of an SAE's source. */
import type { ErrorData } from '../../contract/errors.ts'
import type { SourceSummary } from '../../contract/explanations.ts'
import type { HarvestAbout } from '../../contract/harvest.ts'
import { client, errorOf } from './connection.svelte.ts'

class MirrorSources {
  /** Null before they are known. */
  list = $state.raw<SourceSummary[] | null>(null)
  error = $state.raw<ErrorData | null>(null)

  #own = $derived(new Map(this.list?.flatMap(({ source, harvest }) => (harvest === null ? [] : [[source, harvest] as const])) ?? []))
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

  /** Of what a source was made, where it is one of one's own; else null. */
  aboutOwn(source: string | null): HarvestAbout | null {
    return source === null ? null : (this.#own.get(source) ?? null)
  }

  /** The sources of one's own that were harvested with an SAE's files, the newest first. */
  ownOf(saePath: string): string[] {
    return [...this.#own]
      .filter(([, { sae }]) => sae.path === saePath)
      .sort(([, a], [, b]) => (a.at < b.at ? 1 : -1))
      .map(([source]) => source)
  }

  /** Whether the mirror is known to hold nothing of a source (`modelId/layer`). */
  lacks(source: string): boolean {
    return this.list !== null && !this.#names.has(source)
  }
}

export const mirrorSources = new MirrorSources()
