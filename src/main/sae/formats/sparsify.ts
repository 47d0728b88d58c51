/**
 * EleutherAI's sparsify: a folder per hook point, `layers.5` or `layers.5.mlp` or `embed_tokens`, with cfg.json and
 * sae.safetensors: `encoder.weight` [dSae, dIn], `encoder.bias`, `W_dec` [dSae, dIn], b_dec, perhaps `W_skip` [dIn, dIn] (x @ W_skip.T).
 * The k largest of relu(x W_enc + b_enc) are kept. With `transcode` it predicts its module's output from its input.
 *
 * Whether b_dec is subtracted from the input follows SAELens: where normalize_decoder is false. sparsify itself subtracts it
 * from the input of all but transcoders.
 */
import path from 'node:path'
import { z } from 'zod'
import type { SaePlace } from '../place.ts'
import type { SaeChoices, SaeFormat, SaeReading } from './format.ts'
import { parseConfig, refuseField, requireConfig, Tensors } from './parts.ts'

const size = z.int().positive()
const configSchema = z.looseObject({
  d_in: size,
  k: z.number(),
  expansion_factor: z.number().positive().nullish(),
  num_latents: z.int().nonnegative().nullish(),
  activation: z.string().nullish(),
  normalize_decoder: z.boolean().nullish(),
  signed: z.boolean().nullish(),
  skip_connection: z.boolean().nullish(),
  transcode: z.boolean().nullish()
})

interface Module {
  /** Null where TransformerLens has no hook point for what it reads. */
  readonly input: string | null
  readonly output: string
  readonly isLayer: boolean
}

/** Where the module that a folder names reads and writes; null where it names none. */
function moduleOf(folder: string): Module | null {
  const name = path.basename(folder)
  if (name === 'embed_tokens') return { input: null, output: 'hook_embed', isLayer: true }
  const parts = /layers[._](\d+)(?:[._](mlp|self_attn|attention|attn))?$/.exec(name)
  if (parts?.[1] === undefined) return null
  const block = `blocks.${parts[1]}`
  if (parts[2] === undefined) return { input: `${block}.hook_resid_pre`, output: `${block}.hook_resid_post`, isLayer: true }
  if (parts[2] === 'mlp') return { input: `${block}.mlp.hook_in`, output: `${block}.hook_mlp_out`, isLayer: false }
  return { input: null, output: `${block}.hook_attn_out`, isLayer: false }
}

/** What a person should know of how an SAE of these fields is read. */
function notesOf(isTranscoder: boolean, normalizeDecoder: boolean, module: Module | null): string[] {
  return [
    ...(normalizeDecoder && !isTranscoder
      ? ['normalize_decoder is true: as in SAELens, b_dec is not subtracted from the input; sparsify itself subtracts it.']
      : []),
    ...(module?.isLayer === false
      ? [`It is of a module's own output; where a norm follows it, as in Gemma 2 and 3, ${module.output} is another activation.`]
      : [])
  ]
}

async function read(place: SaePlace, choices: SaeChoices): Promise<SaeReading> {
  const config = await requireConfig(place, 'cfg.json')
  const cfg = parseConfig(config, configSchema)
  if (cfg.signed === true) refuseField(config, 'signed', 'is true; Splice reads SAEs whose activations are not negative')
  if ((cfg.activation ?? 'topk') !== 'topk') refuseField(config, 'activation', `is ${cfg.activation}; Splice reads topk alone`)
  const isTranscoder = cfg.transcode === true
  const module = moduleOf(place.folder)
  if (isTranscoder && module?.input === null && choices.hook === undefined) {
    refuseField(config, 'transcode', 'is true for a module whose input has no hook point', 'Name both after the path: @HOOK_IN:HOOK_OUT.')
  }
  const tensors = new Tensors(place.weights)
  const isTransposed = !tensors.has('W_enc')
  const matrix = tensors.matrix(isTransposed ? 'encoder.weight' : 'W_enc')
  const [dIn, dSae] = isTransposed ? [matrix.columns, matrix.rows] : [matrix.rows, matrix.columns]
  tensors.claim(config, 'd_in', cfg.d_in, dIn)
  if (cfg.num_latents) tensors.claim(config, 'num_latents', cfg.num_latents, dSae)
  else tensors.claim(config, 'expansion_factor', cfg.expansion_factor, dSae / dIn)
  if (!Number.isInteger(cfg.k) || cfg.k < 1 || cfg.k > dSae) {
    refuseField(config, 'k', `is ${cfg.k}, but it has to be a whole number from 1 to the number of latents (${dSae})`)
  }
  const skip = cfg.skip_connection === true ? tensors.transposedOf([dIn, dIn], 'W_skip') : null
  const weights = {
    encoder: isTransposed ? tensors.transposedOf([dSae, dIn], 'encoder.weight') : matrix.entry,
    decoder: tensors.has('W_dec') ? tensors.of([dSae, dIn], 'W_dec') : tensors.transposedOf([dIn, dSae], 'decoder.weight'),
    encoderBias: tensors.maybe([dSae], 'b_enc', 'encoder.bias'),
    decoderBias: tensors.maybe([dIn], 'b_dec', 'decoder.bias'),
    activation: { kind: 'topk', k: cfg.k } as const,
    skip
  }
  tensors.finish('a sparsify SAE')
  const hook = choices.hook ?? (isTranscoder ? module?.input : module?.output) ?? null
  return {
    architecture: isTranscoder ? (skip === null ? 'transcoder' : 'skip_transcoder') : 'topk',
    hook,
    hookOut: choices.hookOut ?? (isTranscoder ? (module?.output ?? null) : null),
    isTranscoder,
    readsGain: isTranscoder && choices.hook === undefined && module?.isLayer === false,
    dIn,
    dSae,
    dOut: dIn,
    weights,
    appliesDecoderBiasToInput: !isTranscoder && cfg.normalize_decoder !== true,
    notes: notesOf(isTranscoder, cfg.normalize_decoder === true, module),
    config: config.value,
    configFiles: [config.file]
  }
}

export const sparsify: SaeFormat = {
  name: 'sparsify',
  description: 'EleutherAI sparsify (cfg.json, sae.safetensors)',
  async recognise({ weights: { container }, config }) {
    if (container !== 'safetensors') return false
    const cfg = (await config('cfg.json'))?.value
    return cfg !== undefined && 'k' in cfg && 'd_in' in cfg && ('num_latents' in cfg || 'expansion_factor' in cfg) && !('d_sae' in cfg)
  },
  read
}
