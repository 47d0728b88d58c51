/** Continuations as clients ask for them: decides the reading, sends the job to inference, puts explanations to the features. */
import { randomInt } from 'node:crypto'
import type { GenerationEvent, GenerationRequest } from '../../contract/generation.ts'
import { type ActiveFeature, runRequest } from '../../contract/run.ts'
import type { GenerationStep, InferredFeatures } from '../inference/messages.ts'
import { FeatureExplainer } from './feature-explainer.ts'
import { type Progress, streamWork } from './progress.ts'
import { jobOf, type RunServices, sourceOf } from './runs.ts'

/** A generation's events: progress, tokens and features step by step, then its result. Ending the iteration early stops it. */
export async function* generate(
  request: GenerationRequest,
  services: RunServices,
  signal?: AbortSignal
): AsyncGenerator<GenerationEvent, void> {
  const { model, saes, prompt, variants, processing, layerOrder, provider } = request
  const asRun = runRequest.parse({ model, saes, prompt, variants, processing, layerOrder, provider })
  const { job, opened, flags, reason } = await jobOf(asRun, services)
  const sources = new Map(saes.map((sae, index) => [sae.name, sourceOf(sae, opened[index])]))
  const explainer = new FeatureExplainer(services.mirror)

  async function explain(features: InferredFeatures): Promise<Record<string, ActiveFeature[]>> {
    const explained = await Promise.all(
      Object.entries(features).map(async ([sae, active]) => {
        const source = sources.get(sae) ?? null
        await explainer.learn(
          source,
          active.map(({ index }) => index)
        )
        return [sae, active.map(feature => explainer.explained(source, feature))] as const
      })
    )
    return Object.fromEntries(explained)
  }

  const events = streamWork<GenerationStep | Progress, Extract<GenerationEvent, { type: 'result' }>>(signal, async (abort, report) => {
    const generation = {
      ...request,
      processing: [...flags],
      saes: job.saes,
      cacheFolder: job.cacheFolder,
      seed: request.seed ?? randomInt(2 ** 31)
    }
    const onProgress = (stage: string, fraction: number) => report({ type: 'progress', stage, fraction })
    const { mappedBytes: _, ...result } = await services.inference.generate(generation, abort, onProgress, report)
    const continuations = await Promise.all(
      result.continuations.map(async ({ features, ...continuation }) => ({
        ...continuation,
        features: await Promise.all(features.map(async atToken => (atToken === null ? null : explain(atToken))))
      }))
    )
    const explained = result.saes.map(sae => ({ ...sae, source: sources.get(sae.name) ?? null }))
    return { type: 'result', result: { ...result, saes: explained, continuations, processing: [...flags], processingReason: reason } }
  })
  for await (const event of events) {
    if (event.type !== 'features') yield event
    else
      yield {
        ...event,
        features: await Promise.all(event.features.map(async each => ({ ...each, features: await explain(each.features) })))
      }
  }
}
