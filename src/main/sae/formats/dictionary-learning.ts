/**
 * dictionary_learning (Marks et al.): config.json, whose `trainer.dict_class` names the class, and ae.pt, a torch zip of its
 * parameters. Each class is computed as its own `encode` and `decode` do; trainer.layer says the layer whose residual stream it
 * reads, as SAELens has it, unless the submodule's name says that it is the MLP's or the attention's output.
 *
 * BatchTopKSAE and MatryoshkaBatchTopKSAE use the threshold that training kept, JumpReluAutoEncoder does not subtract b_dec,
 * AutoEncoderNew has a decoder with a bias of its own and does not subtract it either.
 */
import path from 'node:path'
import { z } from 'zod'
import type { WeightEntry } from '../../checkpoint/weight-file.ts'
import type { ConfigFile, SaePlace } from '../place.ts'
import type { Activation } from '../sae.ts'
import type { SaeChoices, SaeFormat, SaeReading } from './format.ts'
import { readBiasedLayers, readLinearLayers } from './linear-layers.ts'
import { parseConfig, refuseField, requireConfig, Tensors } from './parts.ts'

const size = z.int().positive()
const classes = [
  'AutoEncoder',
  'AutoEncoderNew',
  'AutoEncoderTopK',
  'BatchTopKSAE',
  'MatryoshkaBatchTopKSAE',
  'GatedAutoEncoder',
  'JumpReluAutoEncoder'
] as const
const configSchema = z.looseObject({
  trainer: z.looseObject({
    dict_class: z.enum(classes),
    activation_dim: size,
    dict_size: size,
    layer: z.int().nonnegative(),
    k: z.number().nullish(),
    lm_name: z.string().nullish(),
    submodule_name: z.string().nullish()
  }),
  buffer: z.looseObject({ io: z.string().nullish() }).nullish()
})
type Trainer = z.infer<typeof configSchema>['trainer']

/** The parts of each class that differ. */
type Parts = Pick<SaeReading, 'dIn' | 'dSae' | 'architecture' | 'weights' | 'appliesDecoderBiasToInput'>

function hookOf({ layer, submodule_name: submodule }: Trainer): string {
  if (/^mlp/.test(submodule ?? '')) return `blocks.${layer}.hook_mlp_out`
  if (/^att/.test(submodule ?? '')) return `blocks.${layer}.hook_attn_out`
  return `blocks.${layer}.hook_resid_post`
}

function thresholdOf(tensors: Tensors, shape: readonly number[]): Activation<WeightEntry> {
  return { kind: 'jumprelu', threshold: { tensor: tensors.of(shape, 'threshold'), isLogarithm: false } }
}

/** `W_enc` [dIn, dSae] and `W_dec` [dSae, dIn], as the classes without linear layers have them. */
function readMatrices(tensors: Tensors, architecture: string, appliesDecoderBiasToInput: boolean, thresholdPerFeature: boolean): Parts {
  const { entry: encoder, rows: dIn, columns: dSae } = tensors.matrix('W_enc')
  const weights = {
    encoder,
    decoder: tensors.of([dSae, dIn], 'W_dec'),
    encoderBias: tensors.of([dSae], 'b_enc'),
    decoderBias: tensors.of([dIn], 'b_dec'),
    activation: thresholdOf(tensors, thresholdPerFeature ? [dSae] : [])
  }
  return { architecture, dIn, dSae, weights, appliesDecoderBiasToInput }
}

function readParts(config: ConfigFile, trainer: Trainer, tensors: Tensors): Parts {
  switch (trainer.dict_class) {
    case 'MatryoshkaBatchTopKSAE':
      return readMatrices(tensors, 'batchtopk', true, false)
    case 'JumpReluAutoEncoder':
      return readMatrices(tensors, 'jumprelu', false, true)
    case 'AutoEncoder': {
      const { dIn, dSae, ...layers } = readLinearLayers(tensors)
      const biases = { encoderBias: tensors.of([dSae], 'encoder.bias'), decoderBias: tensors.of([dIn], 'bias', 'b_dec') }
      const weights = { ...layers, ...biases, activation: { kind: 'relu' } as const }
      return { architecture: 'standard', dIn, dSae, weights, appliesDecoderBiasToInput: true }
    }
    case 'AutoEncoderNew': {
      const { dIn, dSae, ...layers } = readBiasedLayers(tensors)
      return { architecture: 'standard', dIn, dSae, weights: { ...layers, activation: { kind: 'relu' } }, appliesDecoderBiasToInput: false }
    }
    case 'GatedAutoEncoder': {
      const { dIn, dSae, ...layers } = readLinearLayers(tensors)
      const activation = {
        kind: 'gated',
        gateBias: tensors.of([dSae], 'gate_bias'),
        magnitudeBias: tensors.of([dSae], 'mag_bias'),
        magnitudeLogScale: tensors.of([dSae], 'r_mag')
      } as const
      const weights = { ...layers, decoderBias: tensors.of([dIn], 'decoder_bias', 'bias', 'b_dec'), activation }
      return { architecture: 'gated', dIn, dSae, weights, appliesDecoderBiasToInput: true }
    }
    case 'AutoEncoderTopK':
    case 'BatchTopKSAE': {
      const { dIn, dSae, ...layers } = readLinearLayers(tensors)
      const isBatch = trainer.dict_class === 'BatchTopKSAE'
      const activation = isBatch ? thresholdOf(tensors, []) : topK(config, trainer, dSae)
      const biases = { encoderBias: tensors.of([dSae], 'encoder.bias'), decoderBias: tensors.of([dIn], 'b_dec', 'bias') }
      const weights = { ...layers, ...biases, activation }
      return { architecture: isBatch ? 'batchtopk' : 'topk', dIn, dSae, weights, appliesDecoderBiasToInput: true }
    }
  }
}

function topK(config: ConfigFile, { k }: Trainer, dSae: number): Activation<WeightEntry> {
  if (typeof k === 'number' && Number.isInteger(k) && k >= 1 && k <= dSae) return { kind: 'topk', k }
  return refuseField(config, 'trainer.k', `is ${k ?? 'missing'}, but it has to be a whole number from 1 to dict_size (${dSae})`)
}

async function read(place: SaePlace, choices: SaeChoices): Promise<SaeReading> {
  const config = await requireConfig(place, 'config.json')
  const { trainer, buffer } = parseConfig(config, configSchema)
  const io = buffer?.io ?? 'out'
  if (io !== 'out' && choices.hook === undefined) {
    const hint = 'Name the hook point after the path with @, such as @blocks.3.hook_resid_pre.'
    refuseField(config, 'buffer.io', `is ${io}, so it does not read the output of ${trainer.submodule_name ?? 'its submodule'}`, hint)
  }
  const tensors = new Tensors(place.weights)
  const parts = readParts(config, trainer, tensors)
  tensors.claim(config, 'trainer.activation_dim', trainer.activation_dim, parts.dIn)
  tensors.claim(config, 'trainer.dict_size', trainer.dict_size, parts.dSae)
  tensors.pass('k', 'threshold', 'group_sizes', 'active_groups')
  tensors.finish(`the class ${trainer.dict_class}`)
  return {
    ...parts,
    dOut: parts.dIn,
    name: place.folder.split(path.sep).slice(-2).join('/'),
    hook: choices.hook ?? hookOf(trainer),
    model: trainer.lm_name ?? null,
    notes:
      trainer.dict_class === 'BatchTopKSAE'
        ? ["BatchTopKSAE: features above the trained threshold are active; SAELens's loader takes all above 0."]
        : [],
    config: config.value,
    configFiles: [config.file]
  }
}

export const dictionaryLearning: SaeFormat = {
  name: 'dictionary-learning',
  description: 'dictionary_learning (config.json, ae.pt)',
  async recognise(place) {
    if (place.weights.container !== 'torch') return false
    const trainer = (await place.config('config.json'))?.value.trainer
    return typeof trainer === 'object' && trainer !== null && 'dict_class' in trainer
  },
  read
}
