/**
 * The SAE of qresearch/DeepSeek-R1-Distill-Llama-8B-SAE-l19: one torch file with the linear layers `encoder` and `decoder`, and
 * no config. Its name says the layer whose residual stream it reads; relu, b_dec is not subtracted from the input.
 */
import type { SaePlace } from '../place.ts'
import type { SaeChoices, SaeFormat, SaeReading } from './format.ts'
import { hookOfFileName, readBiasedLayers } from './linear-layers.ts'
import { Tensors } from './parts.ts'

/** A pair of linear layers as an SAE with relu. */
export function readReluPair(place: SaePlace, choices: SaeChoices, encoder: string, decoder: string): SaeReading {
  const tensors = new Tensors(place.weights)
  const { dIn, dSae, ...layers } = readBiasedLayers(tensors, encoder, decoder)
  tensors.finish('an SAE of two linear layers')
  return {
    architecture: 'standard',
    hook: choices.hook ?? hookOfFileName(place),
    dIn,
    dSae,
    dOut: dIn,
    weights: { ...layers, activation: { kind: 'relu' } },
    appliesDecoderBiasToInput: false,
    config: {},
    configFiles: []
  }
}

export const deepSeekR1: SaeFormat = {
  name: 'deepseek-r1',
  description: 'DeepSeek-R1 distill (NAME-lN.pt with encoder.* and decoder.*)',
  recognise: async ({ weights: { container, entries } }) =>
    container === 'torch' && entries.has('encoder.weight') && entries.has('decoder.weight') && entries.has('decoder.bias'),
  read: async (place, choices) => readReluPair(place, choices, 'encoder', 'decoder')
}
