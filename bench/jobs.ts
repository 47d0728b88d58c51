/** Jobs of every kind over a made-up checkpoint, as the engine gives them to the inference process. */
import path from 'node:path'
import { attributionRequest } from '../src/contract/attribution.ts'
import { generationRequest } from '../src/contract/generation.ts'
import { patchingRequest, patchSite } from '../src/contract/patching.ts'
import { runRequest } from '../src/contract/run.ts'
import type { EvaluationJob } from '../src/main/inference/evaluation-messages.ts'
import type { HarvestJob } from '../src/main/inference/harvest-messages.ts'
import type { AttributionJob, GenerationJob, HookJob, InferenceJob, LensJob, PatchingJob } from '../src/main/inference/messages.ts'
import { promptIds, type Shape, spliceLayer } from './checkpoints.ts'

const sae = 's'
const splice = { sae, errorTerm: false }
const clean = { name: 'clean', splices: [] }
/** As many variants as are asked for, up to five: clean, spliced, and three more that splice. */
export const variants = [
  clean,
  { name: 'spliced', splices: [splice] },
  { name: 'with its error term', splices: [{ ...splice, errorTerm: true }] },
  { name: 'but for special tokens', splices: [{ ...splice, positions: 'no-special' }] },
  { name: 'without a feature', splices: [splice], edits: [{ sae, feature: 1, kind: 'set', value: 0 }] }
] as const

/** Jobs over the checkpoint and SAE that `writeCheckpoint` left in a folder. */
export function jobsOver(folder: string, shape: Shape) {
  const model = path.join(folder, 'model')
  const named = { name: sae, path: path.join(folder, 'sae') }
  const decided = { provider: 'cpu' as const, processing: [], cacheFolder: '/nonexistent' }
  const quantity = { kind: 'log-prob', token: { id: 17 } }

  function run(count: number, tokens: number): InferenceJob {
    const saes = count === 1 ? [] : [named]
    const request = runRequest.parse({ model, saes, prompt: { ids: promptIds(shape, tokens) }, variants: variants.slice(0, count) })
    return { ...request, ...decided, saes, save: undefined }
  }

  return {
    run,
    generation(tokens: number, maxNewTokens: number): GenerationJob {
      const asked = { model, saes: [], prompt: { ids: promptIds(shape, tokens) }, variants: [clean], maxNewTokens, stopAtEos: false }
      return { ...generationRequest.parse({ ...asked, sampling: { temperature: 0 } }), ...decided, saes: [], seed: 1 }
    },
    attribution(tokens: number, top: number): AttributionJob {
      const asked = { model, sae: named, prompt: { ids: promptIds(shape, tokens) }, quantity, top }
      const { keepWith: _, ...request } = attributionRequest.parse(asked)
      return { ...request, ...decided, sae: named }
    },
    /** Every cell of every site, or of some. */
    patching(tokens: number, sites: readonly string[] = patchSite.options): PatchingJob {
      const ids = promptIds(shape, tokens)
      const source = ids.map((id, at) => (at === Math.floor(tokens / 4) ? id + 1 : id))
      const asked = { model, prompt: { ids }, source: { ids: source }, quantity, sites: sites.map(site => ({ site })) }
      const { keepWith: _, ...request } = patchingRequest.parse(asked)
      return { ...request, ...decided }
    },
    lens(tokens: number): LensJob {
      return { job: run(2, tokens), positions: null, softCap: true }
    },
    hooks(tokens: number): HookJob {
      return { job: run(2, tokens), variant: 'spliced', against: 'clean' }
    },
    evaluation(sequences: number, length: number): EvaluationJob {
      const positions = sequences * length
      const rows = [0, 1, 1].map((mask, row) => ({ zero: row === 2, mask: new Uint8Array(positions).fill(mask) }))
      const ids = Int32Array.from(promptIds(shape, positions))
      const counted = new Float32Array(positions).fill(1)
      return { ...decided, model, layerOrder: 'checkpoint', sae: named, ids, length, rows, counted }
    },
    harvest(sequences: number, length: number): HarvestJob {
      const positions = sequences * length
      const ids = Int32Array.from(promptIds(shape, positions))
      return { ...decided, model, layerOrder: 'checkpoint', saes: [named], ids, length, counted: new Uint8Array(positions).fill(1) }
    },
    /** The layer that the SAE is spliced behind. */
    layer: spliceLayer(shape.layers)
  }
}
