/**
 * Qwen2 and Qwen2.5 (Qwen Team 2024): Llama's decoder with biases on queries, keys and values; where use_sliding_window is set,
 * layers from max_window_layers on attend locally. TransformerLens prepends no BOS to its prompts.
 */
import { z } from 'zod'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { activationName } from './activation-function.ts'
import { ConfigReader, size, tokenFields } from './config.ts'
import type { Family, Reading, Transformer } from './family.ts'
import { layerTypes, localLayers, windowOf } from './layer-types.ts'
import { describeLlama, llamaFields } from './llama-config.ts'
import { llamaDecoder } from './llama-decoder.ts'

const qwen2Config = z.object({
  ...llamaFields({
    vocab_size: 151936,
    hidden_size: 4096,
    intermediate_size: 22016,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    head_dim: null,
    max_position_embeddings: 32768,
    tie_word_embeddings: false
  }),
  ...tokenFields({ bos: null, eos: null, pad: null }),
  hidden_act: activationName.default('silu'),
  use_sliding_window: z.boolean().default(false),
  sliding_window: size.nullable().default(4096),
  max_window_layers: z.int().nonnegative().default(28),
  layer_types: layerTypes.nullish()
})

function readQwen2(checkpoint: Checkpoint, reading: Reading): Transformer {
  const reader = ConfigReader.of(checkpoint)
  const parsed = reader.parse(qwen2Config)
  const config = { ...parsed, sliding_window: parsed.use_sliding_window ? parsed.sliding_window : null }
  const base = describeLlama(reader, config)
  const isLocal = localLayers(reader, config, layer => config.sliding_window !== null && layer >= config.max_window_layers)
  return llamaDecoder(checkpoint, reading, {
    ...base,
    bosId: null,
    biases: { queryKeyValue: true, attentionOutput: false, mlp: false },
    activation: config.hidden_act,
    scoresOf: layer => ({ ...base.scoresOf(layer), window: windowOf(reader, config, isLocal(layer)) })
  })
}

export const qwen2: Family = { modelTypes: ['qwen2'], read: readQwen2 }
