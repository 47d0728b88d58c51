/**
 * Llama Scope (He et al. 2024, arXiv:2410.20526): hyperparams.json and checkpoints/final.safetensors with the linear layers
 * `encoder` and `decoder`. All JumpReLU with one threshold. Activations were scaled so that their mean norm is sqrt(dIn); as SAELens
 * does, the factor is folded into the weights and the threshold is scaled with it.
 */
import { z } from 'zod'
import type { ConfigFile, SaePlace } from '../place.ts'
import type { SaeChoices, SaeFormat, SaeReading } from './format.ts'
import { readBiasedLayers } from './linear-layers.ts'
import { firstConfig, parseConfig, refuseField, requireConfig, Tensors } from './parts.ts'

const size = z.int().positive()
const hyperparams = z.looseObject({
  d_model: size,
  d_sae: size,
  hook_point_in: z.string(),
  jump_relu_threshold: z.number(),
  dataset_average_activation_norm: z.looseObject({ in: z.number().positive() })
})

/** Fields that both Llama Scope formats share and that change what is computed. */
const openMossFields = z.looseObject({
  act_fn: z.string().nullish(),
  hook_point_in: z.string(),
  hook_point_out: z.string().nullish(),
  use_glu_encoder: z.boolean().nullish(),
  use_decoder_bias: z.boolean().nullish(),
  apply_decoder_bias_to_pre_encoder: z.boolean().nullish(),
  norm_activation: z.string().nullish(),
  sparsity_include_decoder_norm: z.boolean().nullish()
})

/** Refuses what SAELens's loaders would pass over although it changes the numbers; says in notes what they pass over and so do we. */
export function checkOpenMossFields(config: ConfigFile): string[] {
  const cfg = parseConfig(config, openMossFields)
  const only = <Value>(field: string, value: Value | null | undefined, wanted: Value) => {
    if (value !== null && value !== undefined && value !== wanted)
      refuseField(config, field, `is ${String(value)}; Splice reads ${String(wanted)} alone`)
  }
  only('act_fn', cfg.act_fn?.toLowerCase(), 'jumprelu')
  only('use_glu_encoder', cfg.use_glu_encoder, false)
  only('use_decoder_bias', cfg.use_decoder_bias, true)
  only('apply_decoder_bias_to_pre_encoder', cfg.apply_decoder_bias_to_pre_encoder, false)
  only('norm_activation', cfg.norm_activation, 'dataset-wise')
  only('hook_point_out', cfg.hook_point_out, cfg.hook_point_in)
  return cfg.sparsity_include_decoder_norm === true
    ? [
        'sparsity_include_decoder_norm is true: OpenMOSS compares activations times decoder norms with the threshold; as in SAELens, they are compared as they are.'
      ]
    : []
}

async function read(place: SaePlace, choices: SaeChoices): Promise<SaeReading> {
  const config = await requireConfig(place, 'hyperparams.json', '../hyperparams.json')
  const notes = checkOpenMossFields(config)
  const cfg = parseConfig(config, hyperparams)
  const tensors = new Tensors(place.weights)
  const { dIn, dSae, ...layers } = readBiasedLayers(tensors)
  tensors.claim(config, 'd_model', cfg.d_model, dIn)
  tensors.claim(config, 'd_sae', cfg.d_sae, dSae)
  tensors.finish('a Llama Scope SAE')
  const factor = Math.sqrt(dIn) / cfg.dataset_average_activation_norm.in
  return {
    architecture: 'jumprelu',
    hook: choices.hook ?? cfg.hook_point_in,
    dIn,
    dSae,
    dOut: dIn,
    weights: { ...layers, activation: { kind: 'jumprelu', threshold: { value: cfg.jump_relu_threshold * factor } } },
    normalisation: 'expected_average_only_in',
    normFactor: factor,
    appliesDecoderBiasToInput: false,
    notes,
    config: config.value,
    configFiles: [config.file]
  }
}

export const llamaScope: SaeFormat = {
  name: 'llama-scope',
  description: 'Llama Scope (hyperparams.json, checkpoints/final.safetensors)',
  async recognise(place) {
    const config = await firstConfig(place, 'hyperparams.json', '../hyperparams.json')
    return place.weights.container === 'safetensors' && config?.value.jump_relu_threshold !== undefined
  },
  read
}
