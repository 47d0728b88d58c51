/** SAEs saved as two torch linear layers: encoder weight [dSae, dIn], decoder weight [dIn, dSae]. */
import path from 'node:path'
import type { WeightEntry } from '../../checkpoint/weight-file.ts'
import type { SaePlace } from '../place.ts'
import type { Tensors } from './parts.ts'

/** The matrices of two linear layers, turned to [dIn, dSae] and [dSae, dOut]. */
export interface LinearLayers {
  readonly dIn: number
  readonly dSae: number
  readonly encoder: WeightEntry
  readonly decoder: WeightEntry
}

/** The weights of the layers called `encoder` and `decoder`. Throws `sae/tensor-missing` and `sae/shape` naming the tensor. */
export function readLinearLayers(tensors: Tensors, encoder = 'encoder', decoder = 'decoder'): LinearLayers {
  const { rows: dSae, columns: dIn } = tensors.matrix(`${encoder}.weight`)
  return {
    dIn,
    dSae,
    encoder: tensors.transposedOf([dSae, dIn], `${encoder}.weight`),
    decoder: tensors.transposedOf([dIn, dSae], `${decoder}.weight`)
  }
}

/** Two linear layers with their biases. */
export function readBiasedLayers(tensors: Tensors, encoder = 'encoder', decoder = 'decoder') {
  const layers = readLinearLayers(tensors, encoder, decoder)
  return {
    ...layers,
    encoderBias: tensors.of([layers.dSae], `${encoder}.bias`),
    decoderBias: tensors.of([layers.dIn], `${decoder}.bias`)
  }
}

/** The residual stream after the layer that a file name says with `l<N>`; null where it does not. */
export function hookOfFileName(place: SaePlace): string | null {
  const layer = /l(\d+)/.exec(path.basename(place.weightsName))?.[1]
  return layer === undefined ? null : `blocks.${layer}.hook_resid_post`
}
