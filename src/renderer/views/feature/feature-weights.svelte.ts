/** What the weights of open SAEs say of the feature that is shown, and where it fired in kept runs. */
import type { ErrorData } from '../../../contract/errors.ts'
import type { ComparedSae, FeatureWeights, Firings } from '../../../contract/feature-weights.ts'
import type { ExplainedFeature } from '../../../contract/run.ts'
import { client, errorOf } from '../../state/connection.svelte.ts'
import { type OpenSae, sourceOf, workspace } from '../../state/workspace.svelte.ts'

/** How long an address has to rest before its feature is read: held keys pass over many. */
const restMilliseconds = 150

function asCompared({ name, summary, hook, hookOut, normFactor }: OpenSae): ComparedSae {
  return {
    name,
    path: summary.path,
    ...(hook === undefined ? {} : { hook }),
    ...(hookOut === undefined ? {} : { hookOut }),
    ...(normFactor === undefined ? {} : { normFactor })
  }
}

/** An SAE's source as pages go by it. */
export function openSource(name: string): string | null {
  const sae = workspace.saes.find(candidate => candidate.name === name)
  return sae === undefined ? null : sourceOf(sae)
}

class WeightsReading {
  weights = $state.raw<FeatureWeights | null>(null)
  firings = $state.raw<Firings | null>(null)
  /** What the mirror says of neighbours, by SAE and feature. */
  explained = $state.raw<ReadonlyMap<string, ExplainedFeature>>(new Map())
  /** What `weights` are of: the SAE's name and the feature. */
  of = $state('')
  fraction = $state<number | null>(null)
  error = $state.raw<ErrorData | null>(null)

  /** Reads a feature of an open SAE when the choice rests; the returned function stops it. */
  follow(sae: OpenSae, feature: number): () => void {
    const abort = new AbortController()
    const timer = setTimeout(() => void this.#read(sae, feature, abort.signal), this.of === '' ? 0 : restMilliseconds)
    return () => {
      clearTimeout(timer)
      abort.abort()
    }
  }

  async #read(sae: OpenSae, feature: number, signal: AbortSignal): Promise<void> {
    const { model } = workspace
    if (model === null) return
    this.fraction = 0
    this.error = null
    try {
      const others = workspace.saes.filter(other => other !== sae).map(asCompared)
      const request = { model: model.path, sae: asCompared(sae), feature, others }
      for await (const event of await client.features.weights(request, { signal })) {
        if (signal.aborted) return
        if (event.type === 'progress') this.fraction = event.fraction
        else {
          this.weights = event.weights
          this.firings = null
          this.of = `${sae.name} ${feature}`
        }
      }
      await Promise.all([this.#explain(signal), this.#findFirings(sae, feature, signal)])
    } catch (thrown) {
      if (!signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (!signal.aborted) this.fraction = null
    }
  }

  async #findFirings(sae: OpenSae, feature: number, signal: AbortSignal): Promise<void> {
    const found = await client.features.firings({ path: sae.summary.path, source: sourceOf(sae), feature }, { signal })
    if (!signal.aborted) this.firings = found
  }

  async #explain(signal: AbortSignal): Promise<void> {
    const explained = new Map<string, ExplainedFeature>()
    for (const { sae, nearest } of this.weights?.neighbours ?? []) {
      const source = openSource(sae)
      if (source === null) continue
      const indices = nearest.map(({ feature }) => feature)
      for (const known of await client.explanations.explain({ source, indices }, { signal })) explained.set(`${sae} ${known.index}`, known)
    }
    if (!signal.aborted) this.explained = explained
  }
}

export const weightsReading = new WeightsReading()
