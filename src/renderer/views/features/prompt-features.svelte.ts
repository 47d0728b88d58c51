/** All active features of runs, read from the engine by SAE, and what the mirror knows of them. Earlier runs stay within a bound. */
import { SvelteMap } from 'svelte/reactivity'
import type { ErrorData } from '../../../contract/errors.ts'
import type { ExplainedFeature, RunResult, SaeResult } from '../../../contract/run.ts'
import { client, errorOf } from '../../state/connection.svelte.ts'
import type { RunInput } from '../../state/workspace.svelte.ts'
import type { SparseFeatures } from './ranking.ts'

/** One SAE on one run, in every variant; `leftOut` counts weak activations that were not kept, beyond `perPosition` a token. */
export type Reading = {
  result: RunResult
  sae: SaeResult
  dSae: number
  perPosition: number
  variants: Map<string, SparseFeatures & { leftOut: number }>
}

/** Bounds of what is kept of earlier runs: readings, and entries in all of them. */
const mostReadings = 8
const mostEntries = 8e6
/** Features asked of the mirror at once. */
const batch = 20_000

function entriesOf({ variants }: Reading): number {
  return [...variants.values()].reduce((sum, { features }) => sum + features.length, 0)
}

/** The newest readings that keep within the bounds; the newest one always. */
export function withinBounds(readings: readonly Reading[]): Reading[] {
  let entries = 0
  const kept: Reading[] = []
  for (const reading of [...readings].reverse()) {
    entries += entriesOf(reading)
    if (kept.length > 0 && (entries > mostEntries || kept.length >= mostReadings)) break
    kept.unshift(reading)
  }
  return kept
}

class PromptFeatures {
  readings = $state.raw<Reading[]>([])
  fraction = $state<number | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)
  /** What the mirror knows, by source. */
  readonly known = new SvelteMap<string, Map<number, ExplainedFeature>>()
  #abort: AbortController | null = null

  /** The reading of an SAE on a run; a run whose features were explained anew is the same run. */
  of(result: RunResult, sae: string): Reading | null {
    return this.readings.find(reading => reading.result.tokens === result.tokens && reading.sae.name === sae) ?? null
  }

  /** Reads an SAE on a run; what is under way is cancelled first. */
  async read(run: RunInput, result: RunResult, sae: SaeResult): Promise<void> {
    this.#abort?.abort()
    const abort = new AbortController()
    this.#abort = abort
    this.fraction = 0
    this.error = null
    this.cancelled = false
    try {
      for await (const event of await client.runs.readFeatures({ run, sae: sae.name }, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') {
          this.fraction = event.fraction
          continue
        }
        const { id, dSae, perPosition, variants } = event.reading
        const values = await Promise.all(
          variants.map(async ({ variant, leftOut }) => {
            const sparse = await client.runs.activeFeatures({ id, variant }, { signal: abort.signal })
            const [starts, features, activations] = await Promise.all([
              sparse.starts.arrayBuffer(),
              sparse.features.arrayBuffer(),
              sparse.activations.arrayBuffer()
            ])
            const arrays = {
              starts: new Int32Array(starts),
              features: new Int32Array(features),
              activations: new Float32Array(activations)
            }
            return [variant, { ...arrays, leftOut }] as const
          })
        )
        if (abort.signal.aborted) return
        this.readings = withinBounds([...this.readings, { result, sae, dSae, perPosition, variants: new Map(values) }])
        return
      }
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#abort === abort) {
        this.#abort = null
        this.fraction = null
      }
    }
  }

  cancel(): void {
    if (this.#abort === null) return
    this.#abort.abort()
    this.#abort = null
    this.fraction = null
    this.cancelled = true
  }

  /** Asks the mirror what it knows of every feature that a reading has. */
  async explain({ sae: { source }, variants }: Reading): Promise<void> {
    if (source === null) return
    const indices = [...new Set([...variants.values()].flatMap(({ features }) => [...new Set(features)]))]
    const known = new Map<number, ExplainedFeature>()
    try {
      for (let start = 0; start < indices.length; start += batch) {
        const found = await client.explanations.explain({ source, indices: indices.slice(start, start + batch) })
        for (const feature of found) known.set(feature.index, feature)
      }
      this.known.set(source, known)
    } catch (thrown) {
      this.error = errorOf(thrown)
    }
  }
}

export const promptFeatures = new PromptFeatures()
