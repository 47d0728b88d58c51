/** What the palette asks of the engine: runs and explanations for what is typed, models and SAEs once; each key ends the search before it. */
import type { SearchHit } from '../../../contract/explanations.ts'
import type { KeptRun } from '../../../contract/history.ts'
import { client } from '../../state/connection.svelte.ts'
import { promptLibrary } from '../../state/prompt-library.svelte.ts'
import type { Openable } from './palette-items.ts'

const shown = 5
/** How long typing rests before the engine is asked, in ms. */
const restMilliseconds = 60
/** From how many characters on explanations are looked through. */
const leastQuery = 2

export class PaletteSearch {
  runs = $state.raw<readonly KeptRun[]>([])
  hits = $state.raw<readonly SearchHit[]>([])
  openables = $state.raw<readonly Openable[]>([])
  /** Whether an answer is still to come. */
  searching = $state(false)
  #abort: AbortController | null = null

  /** Looks up what does not depend on what is typed. */
  async start(): Promise<void> {
    void promptLibrary.load()
    const [recent, disk] = await Promise.all([client.library.recent().catch(() => []), client.library.onDisk().catch(() => null)])
    const found: Openable[] = [
      ...recent
        .filter(({ missing }) => !missing)
        .map(({ kind, path, name }) => ({ kind, path, name, facts: `${kind === 'model' ? 'model' : 'SAE'}, opened before` })),
      ...(disk?.models ?? []).map(({ path, name, dtype, layers }) => ({
        kind: 'model' as const,
        path,
        name,
        facts: `model, ${dtype}, ${layers} layers`
      })),
      ...(disk?.saes ?? []).map(({ path, name, hook }) => ({
        kind: 'sae' as const,
        path,
        name,
        facts: `SAE${hook === null ? '' : `, ${hook}`}`
      }))
    ]
    this.openables = [...new Map(found.map(item => [item.path, item])).values()]
  }

  /** Asks for what was typed; what was asked before is cancelled and forgotten. */
  ask(query: string): void {
    this.stop()
    const abort = new AbortController()
    const { signal } = abort
    this.#abort = abort
    this.runs = []
    this.hits = []
    this.searching = true
    const text = query.trim()
    const look = async () => {
      const takeRuns = async () => {
        const { runs } = await client.history.list({ text, limit: shown }, { signal })
        if (!signal.aborted) this.runs = runs
      }
      const takeHits = async () => {
        if (text.length < leastQuery) return
        const { hits } = await client.explanations.search({ query: text, mode: 'substring', limit: shown, countFor: 0 }, { signal })
        if (!signal.aborted) this.hits = hits
      }
      // Either is shown without the other: what is broken says so in its own view.
      await Promise.allSettled([takeRuns(), takeHits()])
      if (!signal.aborted) this.searching = false
    }
    const timer = setTimeout(() => void look(), text === '' ? 0 : restMilliseconds)
    signal.addEventListener('abort', () => clearTimeout(timer))
  }

  /** Cancels what is asked. */
  stop(): void {
    this.#abort?.abort()
    this.#abort = null
    this.searching = false
  }
}
