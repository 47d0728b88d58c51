/** Continuations as clients ask for them: decides the reading, sends the job to inference, puts explanations to the features. */
import { randomInt } from 'node:crypto'
import type { GenerationEvent, GenerationRequest } from '../../contract/generation.ts'
import { type ActiveFeature, runRequest } from '../../contract/run.ts'
import type { Mirror } from '../explanations/mirror.ts'
import type { GenerationStep, InferredFeatures } from '../inference/messages.ts'
import { EventQueue } from './event-queue.ts'
import { jobOf, type RunServices } from './runs.ts'

type Features = Record<string, ActiveFeature[]>

/** Explanations of the features that fire, looked up once for each. */
class Explainer {
  readonly #known = new Map<string, Awaited<ReturnType<Mirror['explanationsOf']>>>()
  readonly #mirror: Mirror
  readonly #sourceOf: ReadonlyMap<string, string | null>

  constructor(mirror: Mirror, sourceOf: ReadonlyMap<string, string | null>) {
    this.#mirror = mirror
    this.#sourceOf = sourceOf
  }

  async explain(features: InferredFeatures): Promise<Features> {
    const explained = await Promise.all(
      Object.entries(features).map(async ([sae, active]): Promise<[string, ActiveFeature[]]> => {
        const source = this.#sourceOf.get(sae) ?? null
        if (source === null) return [sae, active.map(feature => ({ ...feature, maxActivation: null, explanations: [] }))]
        const known = this.#known.get(source) ?? new Map()
        this.#known.set(source, known)
        const unknown = active.map(({ index }) => index).filter(index => !known.has(index))
        if (unknown.length > 0) {
          const found = await this.#mirror.explanationsOf(source, unknown)
          for (const index of unknown) known.set(index, found.get(index) ?? { maxActivation: null, density: null, explanations: [] })
        }
        return [
          sae,
          active.map(feature => {
            const { maxActivation = null, explanations = [] } = known.get(feature.index) ?? {}
            return { ...feature, maxActivation, explanations }
          })
        ]
      })
    )
    return Object.fromEntries(explained)
  }

  async event(step: GenerationStep): Promise<GenerationEvent> {
    if (step.type === 'tokens') return step
    const features = await Promise.all(step.features.map(async entry => ({ ...entry, features: await this.explain(entry.features) })))
    return { ...step, features }
  }
}

/** A generation's events: progress, tokens and features step by step, then its result. Ending the iteration early stops it. */
export async function* generate(
  request: GenerationRequest,
  services: RunServices,
  signal?: AbortSignal
): AsyncGenerator<GenerationEvent, void> {
  const { model, saes, prompt, variants, processing, layerOrder, provider } = request
  const { job, opened, flags, reason } = await jobOf(
    runRequest.parse({ model, saes, prompt, variants, processing, layerOrder, provider }),
    services
  )
  const sourceOf = new Map(
    saes.map(({ name, source }, index) => [name, source === undefined ? (opened[index]?.known?.source ?? null) : source])
  )
  const explainer = new Explainer(services.mirror, sourceOf)
  const abort = new AbortController()
  const events = new EventQueue<GenerationStep | Extract<GenerationEvent, { type: 'progress' }>>()
  const cancel = () => abort.abort()
  signal?.addEventListener('abort', cancel, { once: true })
  const work = services.inference
    .generate(
      { ...request, processing: [...flags], saes: job.saes, cacheFolder: job.cacheFolder, seed: request.seed ?? randomInt(2 ** 31) },
      abort.signal,
      (stage, fraction) => events.push({ type: 'progress', stage, fraction }),
      step => events.push(step)
    )
    .finally(() => events.close())
  // The queue ends first; the error is thrown where the result is awaited.
  work.catch(() => undefined)
  try {
    for await (const event of events) yield event.type === 'progress' ? event : await explainer.event(event)
    const { mappedBytes: _, ...result } = await work
    const continuations = await Promise.all(
      result.continuations.map(async ({ features, ...continuation }) => ({
        ...continuation,
        features: await Promise.all(features.map(async atToken => (atToken === null ? null : explainer.explain(atToken))))
      }))
    )
    const explained = result.saes.map(sae => ({ ...sae, source: sourceOf.get(sae.name) ?? null }))
    yield { type: 'result', result: { ...result, saes: explained, continuations, processing: [...flags], processingReason: reason } }
  } finally {
    signal?.removeEventListener('abort', cancel)
    abort.abort()
  }
}
