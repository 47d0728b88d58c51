/** Runs as clients ask for them: decides the reading, sends the job to inference, puts explanations to the features. */
import path from 'node:path'
import type { RunEvent, RunRequest, RunResult, RunSae, SaeResult } from '../../contract/run.ts'
import type { Mirror } from '../explanations/mirror.ts'
import type { InferenceJob, InferenceResult } from '../inference/messages.ts'
import { baselineOf } from '../inference/variants.ts'
import { readingFacts } from '../library/releases.ts'
import type { History } from '../runs/history.ts'
import { FeatureExplainer } from './feature-explainer.ts'
import type { InferenceProcess } from './inference-process.ts'
import { chooseProcessing } from './processing.ts'
import { withProgress } from './progress.ts'
import { alarmOf } from './sae-check/alarm.ts'
import { type OpenedSae, openRunSae } from './sae-loadings.ts'

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
  const { model, variants, prompt, layerOrder, topK, topFeatures, metricPositions, provider, precision, hooks, save } = request
  const job: InferenceJob = {
    model,
    variants,
    prompt,
    layerOrder,
    topK,
    topFeatures,
    metricPositions,
    provider,
    precision,
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

/** The source that an SAE of a request explains its features by: the person's, else its release's; null for none. */
export function sourceOf({ source }: Pick<RunSae, 'source'>, opened: OpenedSae | undefined): string | null {
  return source === undefined ? (opened?.known?.source ?? null) : source
}

/** A run's events: its progress, then its result. Ending the iteration early cancels the run. */
export function run(request: RunRequest, services: RunServices, signal?: AbortSignal): AsyncGenerator<UnkeptEvent, void> {
  return withProgress(
    signal,
    async (abort, onProgress): Promise<RunResult> => {
      const { job, opened, flags, from, reason } = await jobOf(request, services)
      const result = await services.inference.run(job, abort, onProgress)
      const baseline = request.variants[baselineOf(request.variants) ?? -1]?.name
      const known = opened.map((its, index): KnownOfSae => {
        const { sae, known: release, published } = its
        const asked: Pick<RunSae, 'source'> = request.saes[index] ?? {}
        const reading = result.saes[index]?.byVariant[baseline ?? '']
        return {
          format: sae.format,
          dIn: sae.dIn,
          dSae: sae.dSae,
          // What came with Splice is in no table of SAELens: its repository has no owner.
          release: release === null || !release.repo.includes('/') ? null : { name: release.release, saeId: release.saeId },
          source: sourceOf(asked, its),
          sourceChosenByHand: asked.source !== undefined && asked.source !== null,
          published,
          alarm: reading === undefined ? null : alarmOf(reading, published)
        }
      })
      const explained = await explain(result, known, services.mirror)
      return { ...explained, processing: [...flags], processingFrom: from, processingReason: reason }
    },
    result => ({ type: 'result' as const, result })
  )
}

/** What a result says of an SAE besides what inference gives. */
type KnownOfSae = Pick<SaeResult, 'format' | 'dIn' | 'dSae' | 'release' | 'source' | 'sourceChosenByHand' | 'published' | 'alarm'>

/** Each feature with its own explanations and known maximum, from the SAE's source; none where no source is known. */
async function explain(
  { mappedBytes: _, ...result }: InferenceResult,
  known: readonly KnownOfSae[],
  mirror: Mirror
): Promise<Omit<RunResult, 'processing' | 'processingFrom' | 'processingReason'>> {
  const explainer = new FeatureExplainer(mirror)
  const saes = await Promise.all(
    result.saes.map(async (sae, index) => {
      const its = known[index]
      if (its === undefined) throw new Error(`the inference process gave an SAE ${sae.name} that the run does not have`)
      const readings = Object.entries(sae.byVariant)
      await explainer.learn(
        its.source,
        readings.flatMap(([, reading]) => reading.features.flat().map(feature => feature.index))
      )
      const byVariant = Object.fromEntries(
        readings.map(([name, reading]) => {
          const features = reading.features.map(atToken => atToken.map(feature => explainer.explained(its.source, feature)))
          return [name, { ...reading, features }]
        })
      )
      return { ...sae, ...its, byVariant }
    })
  )
  return { ...result, saes }
}
