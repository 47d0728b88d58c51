/** Runs as clients ask for them: decides the reading, sends the job to inference, puts explanations to the features. */
import path from 'node:path'
import type { ActiveFeature, RunEvent, RunRequest, RunResult, SaeResult } from '../../contract/run.ts'
import type { Mirror } from '../explanations/mirror.ts'
import type { InferenceJob, InferenceResult } from '../inference/messages.ts'
import { baselineOf } from '../inference/variants.ts'
import { readingFacts } from '../library/releases.ts'
import type { History } from '../runs/history.ts'
import { EventQueue } from './event-queue.ts'
import type { InferenceProcess } from './inference-process.ts'
import { chooseProcessing } from './processing.ts'
import { alarmOf } from './sae-check/alarm.ts'
import { openRunSae } from './sae-loadings.ts'

/** What a run says besides being kept. */
type UnkeptEvent = Exclude<RunEvent, { type: 'result' }> | { type: 'result'; result: RunResult }

export interface RunServices {
  readonly inference: InferenceProcess
  readonly mirror: Mirror
  readonly home: string
}

/** A request with everything decided, and what it was decided by. */
export async function jobOf(request: RunRequest, { home }: Pick<RunServices, 'home'>) {
  const opened = await Promise.all(request.saes.map(openRunSae))
  const { flags, from, reason } = chooseProcessing(
    request.processing,
    opened.map(({ loading }) => loading)
  )
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
    saes: request.saes.map(({ source: _, ...sae }, index) => ({ ...sae, release: readingFacts(opened[index]?.known ?? null) })),
    cacheFolder: path.join(home, 'cache')
  }
  return { job, opened, flags, from, reason }
}

/** A run as clients ask for it: its result goes into the history, unless it is not to be kept. */
export async function* keptRun(
  request: RunRequest,
  services: RunServices & { readonly history: History },
  signal?: AbortSignal
): AsyncGenerator<RunEvent, void> {
  for await (const event of run(request, services, signal)) {
    if (event.type === 'progress') yield event
    else yield { ...event, keptAs: request.keep ? services.history.keep(request, event.result) : null }
  }
}

/** A run's events: its progress, then its result. Ending the iteration early cancels the run. */
export async function* run(request: RunRequest, services: RunServices, signal?: AbortSignal): AsyncGenerator<UnkeptEvent, void> {
  const { job, opened, flags, from, reason } = await jobOf(request, services)
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
    const baseline = request.variants[baselineOf(request.variants) ?? -1]?.name
    const known = opened.map(({ sae, known, published }, index): KnownOfSae => {
      const source = request.saes[index]?.source
      const reading = result.saes[index]?.byVariant[baseline ?? '']
      return {
        format: sae.format,
        dIn: sae.dIn,
        dSae: sae.dSae,
        // What came with Splice is in no table of SAELens: its repository has no owner.
        release: known === null || !known.repo.includes('/') ? null : { name: known.release, saeId: known.saeId },
        source: source === undefined ? (known?.source ?? null) : source,
        sourceChosenByHand: source !== undefined && source !== null,
        published,
        alarm: reading === undefined ? null : alarmOf(reading, published)
      }
    })
    const explained = await explain(result, known, services.mirror)
    yield { type: 'result', result: { ...explained, processing: [...flags], processingFrom: from, processingReason: reason } }
  } finally {
    signal?.removeEventListener('abort', cancel)
    abort.abort()
  }
}

/** What a result says of an SAE besides what inference gives. */
type KnownOfSae = Pick<SaeResult, 'format' | 'dIn' | 'dSae' | 'release' | 'source' | 'sourceChosenByHand' | 'published' | 'alarm'>

/** Each feature with its own explanations and known maximum, from the SAE's source; none where no source is known. */
async function explain(
  { mappedBytes: _, ...result }: InferenceResult,
  known: readonly KnownOfSae[],
  mirror: Mirror
): Promise<Omit<RunResult, 'processing' | 'processingFrom' | 'processingReason'>> {
  const saes = await Promise.all(
    result.saes.map(async (sae, index) => {
      const its = known[index]
      if (its === undefined) throw new Error(`the inference process gave an SAE ${sae.name} that the run does not have`)
      const { source } = its
      const readings = Object.entries(sae.byVariant)
      const fired = new Set(readings.flatMap(([, reading]) => reading.features.flat().map(feature => feature.index)))
      const explanations = source === null ? new Map() : await mirror.explanationsOf(source, [...fired])
      const explainFeature = ({ index, activation }: { index: number; activation: ActiveFeature['activation'] }): ActiveFeature => {
        const found = explanations.get(index)
        return { index, activation, maxActivation: found?.maxActivation ?? null, explanations: found?.explanations ?? [] }
      }
      const byVariant = Object.fromEntries(
        readings.map(([name, reading]) => [name, { ...reading, features: reading.features.map(atToken => atToken.map(explainFeature)) }])
      )
      return { ...sae, ...its, byVariant }
    })
  )
  return { ...result, saes }
}
