/** Attributions as clients ask for them: decides the reading, has features ablated, puts explanations to them, keeps the result with its run. */
import type { AttributionEvent, AttributionRequest, AttributionResult } from '../../contract/attribution.ts'
import { runRequest } from '../../contract/run.ts'
import type { History } from '../runs/history.ts'
import { FeatureExplainer } from './feature-explainer.ts'
import { withProgress } from './progress.ts'
import { jobOf, type RunServices, sourceOf } from './runs.ts'

/** An attribution's events: its progress, then its result. Ending the iteration early cancels it. */
export function attribution(
  request: AttributionRequest,
  services: RunServices & { readonly history: History },
  signal?: AbortSignal
): AsyncGenerator<AttributionEvent, void> {
  return withProgress(
    signal,
    async (abort, onProgress) => {
      const result = await attributed(request, services, abort, onProgress)
      const { keepWith } = request
      return { result, kept: keepWith === undefined ? null : await services.history.keepAttribution(keepWith, request, result) }
    },
    ({ result, kept }) => ({ type: 'result' as const, result, kept })
  )
}

async function attributed(
  request: AttributionRequest,
  services: RunServices,
  signal: AbortSignal,
  onProgress: (stage: string, fraction: number) => void
): Promise<AttributionResult> {
  const { keepWith: _, sae: asked, ...rest } = request
  const { model, prompt, processing, layerOrder, provider } = request
  const run = { model, saes: [asked], prompt, processing, layerOrder, provider, variants: [{ name: 'clean', splices: [] }] }
  const { job, opened, flags, reason } = await jobOf(runRequest.parse(run), services)
  const [sae] = job.saes
  if (sae === undefined) throw new Error('an attribution has one SAE')
  const { mappedBytes: __, ...found } = await services.inference.attribute(
    { ...rest, sae, processing: job.processing, cacheFolder: job.cacheFolder },
    signal,
    onProgress
  )
  const source = sourceOf(asked, opened[0])
  const explainer = new FeatureExplainer(services.mirror)
  await explainer.learn(
    source,
    found.effects.map(({ index }) => index)
  )
  return {
    ...found,
    sae: { ...found.sae, source },
    effects: found.effects.map(({ position, effect, ...feature }) => ({ ...explainer.explained(source, feature), position, effect })),
    processing: [...flags],
    processingReason: reason
  }
}
