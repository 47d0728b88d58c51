/**
 * Gemma-3 (Gemma Team 2025, arXiv:2503.19786), text alone: Llama's decoder with norms before and behind each sublayer and on
 * every query and key, five local layers to a global one, each kind with rotary frequencies of its own, scaled and tied
 * embeddings. Its multimodal checkpoints nest the decoder's config in `text_config` and its tensors below `language_model`.
 */
import { z } from 'zod'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { activationName } from './activation-function.ts'
import { ConfigReader, size, specialTokens, tokenFields } from './config.ts'
import type { Family, Reading, Transformer } from './family.ts'
import { layerTypes, localLayers, windowOf } from './layer-types.ts'
import { describeLlama, llamaFields } from './llama-config.ts'
import { llamaDecoder } from './llama-decoder.ts'
import { ropeFrequencies, ropeParameters } from './rope-parameters.ts'

const gemma3Config = z.object({
  ...llamaFields({
    vocab_size: 262208,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    max_position_embeddings: 131072,
    tie_word_embeddings: true
  }),
  ...tokenFields({ bos: 2, eos: 1, pad: 0 }),
  query_pre_attn_scalar: z.number().positive().default(256),
  // transformers reads this field and then never applies it.
  attn_logit_softcapping: z.null().default(null),
  final_logit_softcapping: z.number().positive().nullable().default(null),
  sliding_window: size.nullable().default(4096),
  sliding_window_pattern: size.default(6),
  layer_types: layerTypes.nullish(),
  rope_local_base_freq: z.number().positive().default(10000),
  rope_parameters: z.strictObject({ full_attention: ropeParameters.nullish(), sliding_attention: ropeParameters.nullish() }).nullish(),
  hidden_activation: activationName.nullish(),
  attention_bias: z.boolean().default(false)
})

/** The fields that a multimodal config has around `text_config`. */
const aroundText = z.object({
  ...tokenFields({ bos: null, eos: null, pad: null }),
  tie_word_embeddings: z.boolean().nullish()
})

function readGemma3(checkpoint: Checkpoint, reading: Reading): Transformer {
  const outer = ConfigReader.of(checkpoint)
  const isMultimodal = checkpoint.modelType === 'gemma3'
  const around = isMultimodal ? outer.parse(aroundText) : null
  const reader = isMultimodal ? outer.section('text_config') : outer
  const config = reader.parse(gemma3Config)
  const isLocal = localLayers(reader, config, layer => (layer + 1) % config.sliding_window_pattern !== 0)

  const aroundTokens = around === null ? null : specialTokens(around)
  const { full_attention: full, sliding_attention: sliding } = config.rope_parameters ?? {}
  const base = describeLlama(reader, { ...config, rope_theta: config.rope_theta ?? 1e6, rope_parameters: full })
  const localRope = { ...config, rope_theta: config.rope_local_base_freq, rope_scaling: null, rope_parameters: sliding }
  const local = {
    table: 'rotary.local',
    frequencies: ropeFrequencies(reader, localRope, base.shape.dHead, { theta: 10000, partialFactor: null })
  }

  return llamaDecoder(checkpoint, reading, {
    ...base,
    specialIds: [...new Set([...base.specialIds, ...(aroundTokens?.specialIds ?? [])])],
    eosIds: [...new Set([...base.eosIds, ...(aroundTokens?.eosIds ?? [])])],
    prefixes: ['model.', 'language_model.model.', 'model.language_model.', 'language_model.', ''],
    unembeddingNames: ['lm_head.weight', 'language_model.lm_head.weight'],
    isTied: around?.tie_word_embeddings ?? config.tie_word_embeddings,
    embeddingScale: Math.sqrt(base.shape.dModel),
    storedGain: 'minus-one',
    hasPostNorms: true,
    hasQueryKeyNorms: true,
    biases: { queryKeyValue: config.attention_bias, attentionOutput: config.attention_bias, mlp: false },
    activation: config.hidden_activation ?? 'gelu_pytorch_tanh',
    logitSoftCap: config.final_logit_softcapping,
    scoresOf: layer => ({
      scale: Math.sqrt(config.query_pre_attn_scalar),
      softCap: null,
      window: windowOf(reader, config, isLocal(layer))
    }),
    rotaryOf: layer => (isLocal(layer) ? local : base.rotaryOf(layer)),
    rotaries: [...base.rotaries, local]
  })
}

export const gemma3: Family = { modelTypes: ['gemma3_text', 'gemma3'], read: readGemma3 }
