/**
 * Gemma Scope 2: params.safetensors with w_enc [dIn, dSae], w_dec [dSae, dOut], b_enc, b_dec, threshold and perhaps
 * affine_skip_connection [dIn, dOut] (used as x @ A), and config.json with `hf_hook_point_in` and `hf_hook_point_out`, which
 * name Hugging Face's modules. All JumpReLU; b_dec is not subtracted from the input.
 *
 * What a module's input or output is for TransformerLens: a layer's output is `hook_resid_post`; the post-feedforward norm's is
 * `hook_mlp_out`; the output projection of attention reads `attn.hook_z` (the folder is called attn_out all the same); the
 * pre-feedforward norm's output is what the MLP reads, with the gain: `mlp.hook_in`.
 */
import path from 'node:path'
import { z } from 'zod'
import type { ConfigFile, SaePlace } from '../place.ts'
import type { SaeChoices, SaeFormat, SaeReading } from './format.ts'
import { parseConfig, refuseField, requireConfig, Tensors } from './parts.ts'

const configSchema = z.looseObject({
  hf_hook_point_in: z.string(),
  hf_hook_point_out: z.string(),
  width: z.int().positive().nullish(),
  architecture: z.literal('jump_relu').nullish(),
  affine_connection: z.boolean().nullish(),
  type: z.enum(['sae', 'transcoder']).nullish(),
  model_name: z.string().nullish()
})

interface Hook {
  readonly name: string
  readonly readsGain: boolean
}

/** TransformerLens's hook point for a module's input or output. Multimodal checkpoints put `language_model` before the layers. */
function hookOf(module: string): Hook | null {
  const parts = /^(?:model\.)?(?:language_model\.)?(?:model\.)?layers\.(\d+)\.(.+)$/.exec(module)
  if (parts?.[1] === undefined) return null
  const block = `blocks.${parts[1]}`
  switch (parts[2]) {
    case 'output':
      return { name: `${block}.hook_resid_post`, readsGain: false }
    case 'post_feedforward_layernorm.output':
      return { name: `${block}.hook_mlp_out`, readsGain: false }
    case 'post_attention_layernorm.output':
      return { name: `${block}.hook_attn_out`, readsGain: false }
    case 'self_attn.o_proj.input':
      return { name: `${block}.attn.hook_z`, readsGain: false }
    case 'pre_feedforward_layernorm.output':
      return { name: `${block}.mlp.hook_in`, readsGain: true }
    default:
      return null
  }
}

function refuseHook(config: ConfigFile, field: 'hf_hook_point_in' | 'hf_hook_point_out'): never {
  const hint = 'Name the hook point after the path with @, such as @blocks.20.hook_resid_post.'
  return refuseField(config, field, `is ${String(config.value[field])}, which is no hook point that Splice knows`, hint)
}

async function read(place: SaePlace, choices: SaeChoices): Promise<SaeReading> {
  const config = await requireConfig(place, 'config.json')
  if (config.value.type === 'clt') {
    refuseField(
      config,
      'type',
      'is clt, a cross-layer transcoder, which writes to several layers',
      'Splice reads SAEs and transcoders of one layer.'
    )
  }
  const cfg = parseConfig(config, configSchema)
  const input = hookOf(cfg.hf_hook_point_in)
  const hook = choices.hook ?? input?.name ?? refuseHook(config, 'hf_hook_point_in')
  const isTranscoder = cfg.type === 'transcoder' || cfg.hf_hook_point_in !== cfg.hf_hook_point_out
  const output = () => choices.hookOut ?? hookOf(cfg.hf_hook_point_out)?.name ?? refuseHook(config, 'hf_hook_point_out')
  const hookOut = isTranscoder ? output() : null

  const tensors = new Tensors(place.weights)
  const { entry: encoder, rows: dIn, columns: dSae } = tensors.matrix('w_enc', 'W_enc')
  tensors.claim(config, 'width', cfg.width, dSae)
  const dOut = isTranscoder ? tensors.matrix('w_dec', 'W_dec').columns : dIn
  const hasSkip = cfg.affine_connection === true
  const weights = {
    encoder,
    decoder: tensors.of([dSae, dOut], 'w_dec', 'W_dec'),
    encoderBias: tensors.of([dSae], 'b_enc'),
    decoderBias: tensors.of([dOut], 'b_dec'),
    activation: { kind: 'jumprelu', threshold: { tensor: tensors.of([dSae], 'threshold'), isLogarithm: false } } as const,
    skip: hasSkip ? tensors.of([dIn, dOut], 'affine_skip_connection') : null
  }
  tensors.finish(hasSkip ? 'this Gemma Scope 2 SAE' : 'a Gemma Scope 2 SAE without affine_connection')
  return {
    architecture: isTranscoder ? (hasSkip ? 'jumprelu_skip_transcoder' : 'jumprelu_transcoder') : 'jumprelu',
    name: place.folder.split(path.sep).slice(-2).join('/'),
    hook,
    hookOut,
    isTranscoder,
    readsGain: input?.readsGain === true && input.name === hook,
    dIn,
    dSae,
    dOut,
    weights,
    appliesDecoderBiasToInput: false,
    model: cfg.model_name ?? null,
    config: config.value,
    configFiles: [config.file]
  }
}

export const gemmaScope2: SaeFormat = {
  name: 'gemma-scope-2',
  description: 'Gemma Scope 2 (params.safetensors, config.json)',
  async recognise(place) {
    if (place.weights.container !== 'safetensors') return false
    const config = await place.config('config.json')
    return config?.value.hf_hook_point_in !== undefined || (place.weights.entries.has('w_enc') && place.weights.entries.has('threshold'))
  },
  read
}
