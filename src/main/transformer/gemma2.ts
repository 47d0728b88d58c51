/**
 * Gemma-2 (Gemma Team 2024, arXiv:2408.00118): Llama's decoder with norms before and behind each sublayer, soft-capped scores
 * and logits, alternating local and global attention, scaled and tied embeddings.
 */
import { z } from 'zod'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { activationName } from './activation-function.ts'
import { ConfigReader, size, tokenFields } from './config.ts'
import type { Family, Reading, Transformer } from './family.ts'
import { layerTypes, localLayers, windowOf } from './layer-types.ts'
import { describeLlama, llamaFields } from './llama-config.ts'
import { llamaDecoder } from './llama-decoder.ts'

const gemma2Config = z.object({
  ...llamaFields({
    vocab_size: 256000,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 26,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    max_position_embeddings: 8192,
    tie_word_embeddings: true
  }),
  ...tokenFields({ bos: 2, eos: 1, pad: 0 }),
  query_pre_attn_scalar: z.number().positive().default(256),
  attn_logit_softcapping: z.number().positive().nullable().default(50),
  final_logit_softcapping: z.number().positive().nullable().default(30),
  sliding_window: size.nullable().default(4096),
  layer_types: layerTypes.nullish(),
  hidden_activation: activationName.nullish(),
  attention_bias: z.boolean().default(false)
})

function readGemma2(checkpoint: Checkpoint, reading: Reading): Transformer {
  const reader = ConfigReader.of(checkpoint)
  const config = reader.parse(gemma2Config)
  const base = describeLlama(reader, config)
  // The checkpoint starts with a local layer; TransformerLens takes layer 0 as global, whatever layer_types say.
  const inCheckpoint = localLayers(reader, config, layer => layer % 2 === 0)
  const isLocal = reading.layerOrder === 'transformer-lens' ? (layer: number) => layer % 2 === 1 : inCheckpoint
  return llamaDecoder(checkpoint, reading, {
    ...base,
    embeddingScale: Math.sqrt(base.shape.dModel),
    storedGain: 'minus-one',
    hasPostNorms: true,
    biases: { queryKeyValue: config.attention_bias, attentionOutput: config.attention_bias, mlp: false },
    activation: config.hidden_activation ?? 'gelu_pytorch_tanh',
    logitSoftCap: config.final_logit_softcapping,
    scoresOf: layer => ({
      scale: Math.sqrt(config.query_pre_attn_scalar),
      softCap: config.attn_logit_softcapping,
      window: windowOf(reader, config, isLocal(layer))
    })
  })
}

export const gemma2: Family = { modelTypes: ['gemma2'], read: readGemma2 }
