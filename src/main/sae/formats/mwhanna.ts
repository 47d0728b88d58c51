/**
 * Hanna's transcoders for circuit-tracer: `layer_N.safetensors` with W_enc [dSae, dIn], W_dec [dSae, dOut], b_enc, b_dec, perhaps
 * W_skip [dOut, dIn] (x @ W_skip.T); config.yaml says the hook points of all layers, wandb-config.yaml (or wanb-config.yaml) the
 * sizes. relu; they read what the MLP reads, with the norm's gain, and stand in for `hook_mlp_out`.
 */
import path from 'node:path'
import { z } from 'zod'
import { SpliceError } from '../../../contract/errors.ts'
import type { SaePlace } from '../place.ts'
import type { SaeChoices, SaeFormat, SaeReading } from './format.ts'
import { firstConfig, parseConfig, Tensors } from './parts.ts'

const setConfig = z.looseObject({
  model_name: z.string().nullish(),
  model_kind: z.literal('transcoder_set').nullish(),
  feature_input_hook: z.string().default('mlp.hook_in'),
  feature_output_hook: z.string().default('hook_mlp_out')
})
const sizeField = z.looseObject({ value: z.int().positive() }).nullish()
const wandbConfig = z.looseObject({ d_model: sizeField, d_feature: sizeField })

const fileName = /(?:^|_)(\d+)\.safetensors$/
const wandbNames = ['wandb-config.yaml', 'wanb-config.yaml'] as const

function layerOf(place: SaePlace): string {
  const layer = fileName.exec(path.basename(place.weightsName))?.[1]
  if (layer !== undefined) return layer
  throw new SpliceError('sae/layer', `${place.path} does not say its layer; these files are called layer_N.safetensors`, {
    file: place.path,
    hint: 'Give the file the name that it had when it was downloaded.'
  })
}

async function read(place: SaePlace, choices: SaeChoices): Promise<SaeReading> {
  const set = await place.config('config.yaml')
  const {
    model_name: model,
    feature_input_hook: input,
    feature_output_hook: output
  } = parseConfig(set ?? { file: path.join(place.folder, 'config.yaml'), value: {} }, setConfig)
  const layer = layerOf(place)
  const tensors = new Tensors(place.weights)
  const { rows: dSae, columns: dIn } = tensors.matrix('W_enc')
  const sizes = await firstConfig(place, ...wandbNames)
  if (sizes !== null) {
    const { d_model: dModel, d_feature: dFeature } = parseConfig(sizes, wandbConfig)
    tensors.claim(sizes, 'd_model', dModel?.value, dIn)
    tensors.claim(sizes, 'd_feature', dFeature?.value, dSae)
  }
  const dOut = tensors.matrix('W_dec').columns
  const hasSkip = tensors.has('W_skip')
  const weights = {
    encoder: tensors.transposedOf([dSae, dIn], 'W_enc'),
    decoder: tensors.of([dSae, dOut], 'W_dec'),
    encoderBias: tensors.of([dSae], 'b_enc'),
    decoderBias: tensors.of([dOut], 'b_dec'),
    activation: { kind: 'relu' } as const,
    skip: hasSkip ? tensors.transposedOf([dOut, dIn], 'W_skip') : null
  }
  tensors.finish('a transcoder of this format')
  return {
    architecture: hasSkip ? 'skip_transcoder' : 'transcoder',
    hook: choices.hook ?? `blocks.${layer}.${input}`,
    hookOut: choices.hookOut ?? `blocks.${layer}.${output}`,
    isTranscoder: true,
    readsGain: choices.hook === undefined && input === 'mlp.hook_in',
    dIn,
    dSae,
    dOut,
    weights,
    appliesDecoderBiasToInput: false,
    model: model ?? null,
    modelFromPretrainedKwargs: { fold_ln: false },
    config: { ...set?.value, ...(sizes === null ? {} : { [path.basename(sizes.file)]: sizes.value }) },
    configFiles: [set, sizes].flatMap(config => (config === null ? [] : [config.file]))
  }
}

export const mwhanna: SaeFormat = {
  name: 'mwhanna',
  description: "Hanna's transcoders (layer_N.safetensors, config.yaml, wandb-config.yaml)",
  async recognise(place) {
    const { container, entries } = place.weights
    if (container !== 'safetensors' || !entries.has('W_enc') || !fileName.test(place.weightsName)) return false
    const set = await place.config('config.yaml')
    return set?.value.model_kind === 'transcoder_set' || (await firstConfig(place, ...wandbNames)) !== null
  },
  read
}
