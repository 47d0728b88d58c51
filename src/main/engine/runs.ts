/** Runs as clients ask for them: decides the reading, sends the job to inference, puts explanations to the features. */
import path from 'node:path'
import type { ActiveFeature, RunEvent, RunRequest, RunResult } from '../../contract/run.ts'
import type { Mirror } from '../explanations/mirror.ts'
import type { InferenceJob, InferenceResult } from '../inference/messages.ts'
import { type KnownSae, readingFacts, releaseOf } from '../library/releases.ts'
import { openSae } from '../sae/open.ts'
import { EventQueue } from './event-queue.ts'
import type { InferenceProcess } from './inference-process.ts'
import { chooseProcessing, type SaeLoading } from './processing.ts'

export interface RunServices {
  readonly inference: InferenceProcess
  readonly mirror: Mirror
  readonly home: string
}

/** A request with everything decided, and what it was decided by. */
export async function jobOf(request: RunRequest, { home }: Pick<RunServices, 'home'>) {
  const releases = await Promise.all(request.saes.map(sae => releaseOf(sae.path)))
  const { flags, reason } = chooseProcessing(request.processing, await loadingsOf(request, releases))
  const { model, variants, prompt, layerOrder, topK, topFeatures, metricPositions, provider, hooks, save } = request
  const job: InferenceJob = {
    model,
    variants,
    prompt,
    layerOrder,
    topK,
    topFeatures,
    metricPositions,
    provider,
    hooks,
    save,
    processing: [...flags],
    saes: request.saes.map(({ source: _, ...sae }, index) => ({ ...sae, release: readingFacts(releases[index] ?? null) })),
    cacheFolder: path.join(home, 'cache')
  }
  return { job, releases, flags, reason }
}

/** A run's events: its progress, then its result. Ending the iteration early cancels the run. */
export async function* run(request: RunRequest, services: RunServices, signal?: AbortSignal): AsyncGenerator<RunEvent, void> {
  const { job, releases, flags, reason } = await jobOf(request, services)
  const abort = new AbortController()
  const events = new EventQueue<RunEvent>()
  const cancel = () => abort.abort()
  signal?.addEventListener('abort', cancel, { once: true })
  const work = services.inference
    .run(job, abort.signal, (stage, fraction) => events.push({ type: 'progress', stage, fraction }))
    .finally(() => events.close())
  // The queue ends first; the error is thrown where the result is awaited.
  work.catch(() => undefined)
  try {
    yield* events
    const result = await work
    const sources = request.saes.map((sae, index) => ({
      source: sae.source === undefined ? (releases[index]?.source ?? null) : sae.source,
      byHand: sae.source !== undefined && sae.source !== null
    }))
    const explained = await explain(result, sources, services.mirror)
    yield { type: 'result', result: { ...explained, processing: [...flags], processingReason: reason } }
  } finally {
    signal?.removeEventListener('abort', cancel)
    abort.abort()
  }
}

/** What each SAE asks of the model's loading. Throws what is wrong with an SAE, before the model is opened. */
async function loadingsOf(request: Pick<RunRequest, 'saes'>, releases: readonly (KnownSae | null)[]): Promise<SaeLoading[]> {
  return Promise.all(
    request.saes.map(async ({ name, path: at, hook, hookOut, normFactor }, index) => {
      const known = releases[index] ?? null
      const sae = await openSae(at, { hook, hookOut, normFactor, release: readingFacts(known) })
      return { name, ownKwargs: sae.modelFromPretrainedKwargs, releaseKwargs: known?.modelFromPretrainedKwargs ?? null }
    })
  )
}

/** Each feature with its own explanations and known maximum, from the SAE's source; none where no source is known. */
async function explain(
  { mappedBytes: _, ...result }: InferenceResult,
  sources: readonly { source: string | null; byHand: boolean }[],
  mirror: Mirror
): Promise<Omit<RunResult, 'processing' | 'processingReason'>> {
  const saes = await Promise.all(
    result.saes.map(async (sae, index) => {
      const { source, byHand } = sources[index] ?? { source: null, byHand: false }
      const readings = Object.entries(sae.byVariant)
      const fired = new Set(readings.flatMap(([, reading]) => reading.features.flat().map(feature => feature.index)))
      const known = source === null ? new Map() : await mirror.explanationsOf(source, [...fired])
      const explainFeature = ({ index, activation }: { index: number; activation: ActiveFeature['activation'] }): ActiveFeature => {
        const found = known.get(index)
        return { index, activation, maxActivation: found?.maxActivation ?? null, explanations: found?.explanations ?? [] }
      }
      const byVariant = Object.fromEntries(
        readings.map(([name, reading]) => [name, { ...reading, features: reading.features.map(atToken => atToken.map(explainFeature)) }])
      )
      return { ...sae, source, sourceChosenByHand: byHand, byVariant }
    })
  )
  return { ...result, saes }
}
