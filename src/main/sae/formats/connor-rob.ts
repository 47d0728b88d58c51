/**
 * The attention SAEs of Kissane and Krzyzanowski (2024): `<name>.pt`, a torch zip with W_enc [dIn, dSae], W_dec [dSae, dIn],
 * b_enc and b_dec, and `<name>_cfg.json`. They read `attn.hook_z` with the heads side by side; relu, b_dec is subtracted first.
 */
import { z } from 'zod'
import type { SaePlace } from '../place.ts'
import type { SaeChoices, SaeFormat, SaeReading } from './format.ts'
import { parseConfig, requireConfig, Tensors } from './parts.ts'

const size = z.int().positive()
const configSchema = z.looseObject({ act_name: z.string(), act_size: size, dict_size: size, model_name: z.string().nullish() })

function configName(place: SaePlace): string {
  return `${place.weightsName.split('.pt')[0]}_cfg.json`
}

async function read(place: SaePlace, choices: SaeChoices): Promise<SaeReading> {
  const config = await requireConfig(place, configName(place))
  const cfg = parseConfig(config, configSchema)
  const tensors = new Tensors(place.weights)
  const { entry: encoder, rows: dIn, columns: dSae } = tensors.matrix('W_enc')
  tensors.claim(config, 'act_size', cfg.act_size, dIn)
  tensors.claim(config, 'dict_size', cfg.dict_size, dSae)
  const weights = {
    encoder,
    decoder: tensors.of([dSae, dIn], 'W_dec'),
    encoderBias: tensors.of([dSae], 'b_enc'),
    decoderBias: tensors.of([dIn], 'b_dec'),
    activation: { kind: 'relu' } as const
  }
  tensors.finish('an SAE of this format')
  return {
    architecture: 'standard',
    hook: choices.hook ?? cfg.act_name,
    dIn,
    dSae,
    dOut: dIn,
    weights,
    appliesDecoderBiasToInput: true,
    model: cfg.model_name ?? null,
    config: config.value,
    configFiles: [config.file]
  }
}

export const connorRob: SaeFormat = {
  name: 'connor-rob',
  description: "Kissane and Krzyzanowski's attention SAEs (NAME.pt, NAME_cfg.json)",
  async recognise(place) {
    if (place.weights.container !== 'torch') return false
    return place.weights.entries.has('W_enc') && (await place.config(configName(place)))?.value.act_name !== undefined
  },
  read
}
