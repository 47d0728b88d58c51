/**
 * Llama Scope R1 distill (OpenMOSS): config.json and sae_weights.safetensors with the linear layers `encoder` and `decoder` and
 * `log_jumprelu_threshold`, whose exponential is the threshold. Activations were scaled in training, but the factor is in no file:
 * SAELens's table of releases has it.
 */
import { z } from 'zod'
import type { SaePlace } from '../place.ts'
import type { SaeChoices, SaeFormat, SaeReading } from './format.ts'
import { readBiasedLayers } from './linear-layers.ts'
import { checkOpenMossFields } from './llama-scope.ts'
import { parseConfig, requireConfig, Tensors } from './parts.ts'

const configSchema = z.looseObject({ d_model: z.int().positive(), expansion_factor: z.number().positive(), hook_point_in: z.string() })

async function read(place: SaePlace, choices: SaeChoices): Promise<SaeReading> {
  const config = await requireConfig(place, 'config.json')
  const notes = checkOpenMossFields(config)
  const cfg = parseConfig(config, configSchema)
  const tensors = new Tensors(place.weights)
  const { dIn, dSae, ...layers } = readBiasedLayers(tensors)
  tensors.claim(config, 'd_model', cfg.d_model, dIn)
  tensors.claim(config, 'expansion_factor', cfg.expansion_factor, dSae / dIn)
  const threshold = { tensor: tensors.of([dSae], 'log_jumprelu_threshold'), isLogarithm: true }
  tensors.finish('a Llama Scope R1 SAE')
  return {
    architecture: 'jumprelu',
    hook: choices.hook ?? cfg.hook_point_in,
    dIn,
    dSae,
    dOut: dIn,
    weights: { ...layers, activation: { kind: 'jumprelu', threshold } },
    normalisation: 'expected_average_only_in',
    appliesDecoderBiasToInput: false,
    notes,
    config: config.value,
    configFiles: [config.file]
  }
}

export const llamaScopeR1: SaeFormat = {
  name: 'llama-scope-r1-distill',
  description: 'Llama Scope R1 distill (config.json, sae_weights.safetensors)',
  async recognise(place) {
    const { container, entries } = place.weights
    if (container !== 'safetensors' || !entries.has('log_jumprelu_threshold')) return false
    return (await place.config('config.json'))?.value.hook_point_in !== undefined
  },
  read
}
