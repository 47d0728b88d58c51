/**
 * SAELens folders: cfg.json and sae_weights.safetensors with W_enc [dIn, dSae], W_dec [dSae, dOut], biases, and what the
 * architecture adds. Shapes, defaults and order of operations are those of SAELens 6.18 (`sae_lens/saes`), and so are the
 * names of tensors: one that the architecture does not have is an error there and here.
 *
 * BatchTopK and Matryoshka SAEs are saved for inference as jumprelu. Their training checkpoints keep one threshold, which takes
 * the place of the k largest of a batch, as when SAELens saves them for inference.
 */

import type { WeightEntry } from '../../checkpoint/weight-file.ts'
import type { SaePlace } from '../place.ts'
import type { Activation } from '../sae.ts'
import type { SaeChoices, SaeFormat, SaeReading } from './format.ts'
import { refuseField, requireConfig, Tensors } from './parts.ts'
import { readSaeLensConfig, type SaeLensConfig } from './saelens-config.ts'
import { finetuningFactor } from './scaling-factor.ts'

function activationOf(cfg: SaeLensConfig, tensors: Tensors, dSae: number): Activation<WeightEntry> {
  switch (cfg.architecture) {
    case 'gated':
      return {
        kind: 'gated',
        gateBias: tensors.of([dSae], 'b_gate'),
        magnitudeBias: tensors.of([dSae], 'b_mag'),
        magnitudeLogScale: tensors.of([dSae], 'r_mag')
      }
    case 'jumprelu':
    case 'jumprelu_transcoder':
    case 'jumprelu_skip_transcoder':
      return { kind: 'jumprelu', threshold: { tensor: tensors.of([dSae], 'threshold'), isLogarithm: false } }
    case 'batchtopk':
    case 'matryoshka_batchtopk':
      return { kind: 'jumprelu', threshold: { tensor: tensors.of([], 'topk_threshold'), isLogarithm: false } }
    case 'topk':
      return { kind: 'topk', k: cfg.k }
    default:
      return { kind: cfg.activation }
  }
}

async function read(place: SaePlace, choices: SaeChoices): Promise<SaeReading> {
  const config = await requireConfig(place, 'cfg.json')
  const cfg = readSaeLensConfig(config)
  const isTranscoder = cfg.architecture.endsWith('transcoder')
  const hasSkip = cfg.architecture.endsWith('skip_transcoder')
  const hookOut = choices.hookOut ?? cfg.hookOut
  if (isTranscoder && hookOut === null) {
    const hint = 'Name both hook points after the path, e.g. @blocks.0.mlp.hook_in:blocks.0.hook_mlp_out.'
    refuseField(config, 'metadata.hook_name_out', 'is missing: nothing says where this transcoder writes to', hint)
  }
  const tensors = new Tensors(place.weights)
  const { entry: encoder, rows: dIn, columns: dSae } = tensors.matrix('W_enc')
  tensors.claim(config, 'd_in', cfg.dIn, dIn)
  tensors.claim(config, 'd_sae', cfg.dSae, dSae)
  const dOut = isTranscoder ? tensors.matrix('W_dec').columns : dIn
  const decoder = tensors.of([dSae, dOut], 'W_dec')
  if (isTranscoder && cfg.dOut !== null && cfg.dOut !== dOut) {
    refuseField(config, 'd_out', `is ${cfg.dOut}, but W_dec has ${dOut} columns`, 'Config and weights belong to different transcoders.')
  }
  const weights = {
    encoder,
    decoder,
    encoderBias: cfg.architecture === 'gated' ? null : tensors.of([dSae], 'b_enc'),
    decoderBias: tensors.of([dOut], 'b_dec'),
    activation: activationOf(cfg, tensors, dSae),
    skip: hasSkip ? tensors.transposedOf([dOut, dIn], 'W_skip') : null,
    actsScale: await finetuningFactor(tensors, dSae, cfg.isFinetuned)
  }
  tensors.finish(`a SAELens SAE of the architecture ${cfg.architecture}`)
  return {
    architecture: cfg.architecture,
    hook: choices.hook ?? cfg.hook,
    hookOut,
    isTranscoder,
    headIndex: cfg.headIndex,
    dIn,
    dSae,
    dOut,
    weights,
    normalisation: cfg.normalisation,
    appliesDecoderBiasToInput: cfg.appliesDecoderBiasToInput,
    rescalesByDecoderNorm: cfg.rescalesByDecoderNorm && ['topk', 'batchtopk', 'matryoshka_batchtopk'].includes(cfg.architecture),
    model: cfg.model,
    modelFromPretrainedKwargs: cfg.modelFromPretrainedKwargs,
    keepsOwnKwargs: !cfg.isOld,
    config: config.value,
    configFiles: [config.file]
  }
}

export const saeLens: SaeFormat = {
  name: 'saelens',
  description: 'SAELens (cfg.json, sae_weights.safetensors)',
  async recognise({ weights, weightsName, config }) {
    if (weights.container !== 'safetensors') return false
    const cfg = (await config('cfg.json'))?.value
    const saysHook = cfg !== undefined && ['metadata', 'hook_name', 'hook_point', 'architecture', 'd_sae'].some(field => field in cfg)
    return saysHook || weightsName === 'sae_weights.safetensors'
  },
  read
}
