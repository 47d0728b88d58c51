/**
 * Whether the mirror's top logits of a source are those of the SAE: a source that was made with other weights, or of another tensor, says
 * nothing true of the SAE's features, and its explanations neither.
 */
import path from 'node:path'
import type { CheckedFeature, EffectsCheck, EffectsCheckEvent, EffectsCheckRequest, FeatureEffects } from '../../contract/logit-effects.ts'
import type { Mirror } from '../explanations/mirror.ts'
import type { MirroredLogits } from '../explanations/mirrored-logits.ts'
import type { EffectsJob } from '../inference/messages.ts'
import type { Library } from '../library/library.ts'
import { readingFacts, releaseIndex, releaseOf } from '../library/releases.ts'
import type { InferenceProcess } from './inference-process.ts'
import { withProgress } from './progress.ts'

/** Tokens compared: Neuronpedia lists ten. */
const listed = 10
/** Share of features that must agree for a source to agree, and below which it disagrees. */
const most = 0.8
const least = 0.5

export interface CheckServices {
  readonly home: string
  readonly library: Library
  readonly mirror: Mirror
  readonly inference: InferenceProcess
}

/** A token's text as lists write it: without the spaces around it, however a tokenizer marks them. */
function bare(text: string): string {
  return text.replaceAll(/[▁Ġ]/g, ' ').trim()
}

/** Compares one feature's lists, as far as the mirror's goes. A feature agrees where they share at least half of their tokens. */
export function compareLists({ top }: MirroredLogits, effects: FeatureEffects): CheckedFeature {
  const theirs = top.slice(0, listed).map(bare)
  const own = new Set(effects.top.slice(0, theirs.length).map(({ text }) => bare(text)))
  const shared = theirs.filter(text => own.has(text)).length
  return { ...effects, shared, of: theirs.length, agrees: 2 * shared >= theirs.length }
}

/** What a sample says of its source. */
export function verdictOf(features: readonly Pick<CheckedFeature, 'agrees'>[]): EffectsCheck['verdict'] {
  const share = features.filter(({ agrees }) => agrees).length / features.length
  return share >= most ? 'agrees' : share < least ? 'disagrees' : 'unsure'
}

/** The SAE and model that are known to belong to a source, as the last scan of the disk found them; null where one is missing. */
async function findOnDisk(source: string, library: Library): Promise<{ sae: string; model: string } | null> {
  const { saes, models } = await library.onDisk()
  const sae = saes.find(candidate => candidate.source === source)
  const modelId = source.slice(0, source.indexOf('/'))
  const repo = (await releaseIndex()).catalogue.models.get(modelId)
  const model = models.find(candidate => (candidate.hub === null ? candidate.name === modelId : candidate.hub.repo === repo))
  return sae === undefined || model === undefined ? null : { sae: sae.path, model: model.path }
}

async function check(
  { source, sae, model, features, sample }: EffectsCheckRequest,
  { home, library, mirror, inference }: CheckServices,
  signal: AbortSignal,
  onProgress: (stage: string, fraction: number) => void
): Promise<EffectsCheck> {
  const found = sae === undefined || model === undefined ? await findOnDisk(source, library) : { sae: sae.path, model }
  const nothing = (reason: string): EffectsCheck => ({
    source,
    verdict: 'none',
    reason,
    sae: found?.sae ?? null,
    model: found?.model ?? null,
    features: []
  })
  if (found === null) return nothing('its SAE and model are not both on this disk')
  const mirrored = await mirror.sampleLogits(source, features, sample)
  if (mirrored.length === 0) return nothing('the mirror has no logits of its features')
  const options = sae === undefined ? { path: found.sae } : sae
  const job: EffectsJob = {
    model: found.model,
    sae: { ...options, release: readingFacts(await releaseOf(found.sae)) },
    features: mirrored.map(({ feature }) => feature),
    count: listed,
    cacheFolder: path.join(home, 'cache')
  }
  const effects = await inference.effects(job, signal, onProgress)
  const compared = mirrored.flatMap((lists, at) => {
    const own = effects[at]
    return own === undefined ? [] : [compareLists(lists, own)]
  })
  const agreeing = compared.filter(({ agrees }) => agrees).length
  return {
    source,
    verdict: verdictOf(compared),
    reason: `${agreeing} of ${compared.length} features share at least half of their ${listed} highest tokens with the SAE's own`,
    sae: found.sae,
    model: found.model,
    features: compared
  }
}

/** Checks a sample of a source's features; its progress, then what was found. */
export function checkLogits(
  request: EffectsCheckRequest,
  services: CheckServices,
  signal: AbortSignal | undefined
): AsyncGenerator<EffectsCheckEvent, void> {
  return withProgress(
    signal,
    (abort, onProgress) => check(request, services, abort, onProgress),
    found => ({ type: 'result' as const, check: found })
  )
}
