/** Models and SAEs that readers take and that nobody trained: weights that are no numbers, configs at the edge of what is allowed. */
import fs from 'node:fs'
import path from 'node:path'
import type { InferenceJob } from '../main/inference/messages.ts'
import type { Draws } from './draws.ts'
import { goldenFolders, writeFolder } from './specimens.ts'

const models = goldenFolders('models', /^config\.json$/)
const saes = goldenFolders('saes/saelens6', /^cfg\.json$/)

const oddFloats = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3.4e38, -3.4e38, 1e-45, 0, -0, 1e20]

/** Overwrites some float32 weights, or all of them, wherever they are. */
function spoil(draws: Draws, file: string): void {
  const bytes = fs.readFileSync(file)
  const start = 8 + Number(bytes.readBigUInt64LE())
  const count = Math.floor((bytes.length - start) / 4)
  const isWhole = draws.chance(0.2)
  const from = isWhole ? 0 : draws.below(count)
  const to = isWhole ? count : Math.min(count, from + 1 + draws.below(draws.chance(0.5) ? 4 : count))
  const value = draws.pick(oddFloats)
  for (let at = from; at < to; at++) bytes.writeFloatLE(value, start + 4 * at)
  fs.writeFileSync(file, bytes)
}

/** Numbers of a config that tensors do not check. */
const freeFields =
  /^(.*eps(ilon)?|rope_theta|rotary_(emb_base|pct)|.*softcapping|query_pre_attn_scalar|sliding_window.*|rope_local_base_freq|max_position_embeddings|max_window_layers|.*_token_id|partial_rotary_factor)$/
const oddNumbers = [1e-300, 1e-30, 1e-5, 0.5, 1, 2, 3, 1e3, 1e9, 1e30, 1e300, -1, 0]

function twist(draws: Draws, file: string): void {
  const config = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>
  for (const [name, value] of Object.entries(config)) {
    if (freeFields.test(name) && draws.chance(0.3)) config[name] = draws.pick(oddNumbers)
    else if (typeof value === 'boolean' && draws.chance(0.1)) config[name] = !value
    else if (/activation|hidden_act/.test(name) && draws.chance(0.3))
      config[name] = draws.pick(['relu', 'gelu', 'gelu_new', 'silu', 'gelu_pytorch_tanh'])
  }
  fs.writeFileSync(file, JSON.stringify(config))
}

/** Writes an odd model, half of the time with an odd SAE, and gives a run of them. `scratch` is for what is unpacked. */
export function oddJob(draws: Draws, folder: string, scratch: string): InferenceJob {
  const { files } = draws.pick(models)
  const model = path.join(folder, 'model')
  writeFolder(model, files)
  const weights = files.map(({ name }) => name).filter(name => name.endsWith('.safetensors'))
  if (draws.chance(0.7)) spoil(draws, path.join(model, draws.pick(weights)))
  if (draws.chance(0.7)) twist(draws, path.join(model, 'config.json'))
  const hasSae = draws.chance(0.5)
  const sae = path.join(folder, 'sae')
  if (hasSae) {
    writeFolder(sae, draws.pick(saes).files)
    if (draws.chance(0.7)) spoil(draws, path.join(sae, 'sae_weights.safetensors'))
  }
  const ids = Array.from({ length: draws.pick([1, 1, 2, 5, 40]) }, () => draws.below(60))
  return {
    model,
    saes: hasSae ? [{ name: 'sae', path: sae, release: { normFactor: null, normalisation: null } }] : [],
    prompt: { ids },
    variants: [
      { name: 'clean', splices: [] },
      ...(hasSae ? [{ name: 'spliced', splices: [{ sae: 'sae', errorTerm: draws.chance(0.5), positions: 'all' as const }] }] : [])
    ],
    processing: draws.chance(0.5) ? [] : ['fold_ln', 'center_writing_weights', 'center_unembed', 'fold_value_biases'],
    layerOrder: 'checkpoint',
    topK: draws.pick([1, 5, 1000]),
    topFeatures: draws.pick([0, 5, 500]),
    metricPositions: 'no-special',
    provider: 'cpu',
    hooks: 'all',
    cacheFolder: scratch
  }
}
