/** Llama 2, 3, 3.1 and 3.2 (Touvron et al. 2023, Llama Team 2024): the decoder of llama-decoder.ts as it is. */
import { z } from 'zod'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { activationName } from './activation-function.ts'
import { ConfigReader, tokenFields } from './config.ts'
import type { Family, Reading, Transformer } from './family.ts'
import { describeLlama, llamaFields } from './llama-config.ts'
import { llamaDecoder } from './llama-decoder.ts'

const llamaConfig = z.object({
  ...llamaFields({
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: null,
    head_dim: null,
    max_position_embeddings: 2048,
    tie_word_embeddings: false
  }),
  ...tokenFields({ bos: 1, eos: 2, pad: null }),
  hidden_act: activationName.default('silu'),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false)
})

function readLlama(checkpoint: Checkpoint, reading: Reading): Transformer {
  const reader = ConfigReader.of(checkpoint)
  const config = reader.parse(llamaConfig)
  return llamaDecoder(checkpoint, reading, {
    ...describeLlama(reader, config),
    biases: { queryKeyValue: config.attention_bias, attentionOutput: config.attention_bias, mlp: config.mlp_bias },
    activation: config.hidden_act
  })
}

export const llama: Family = { modelTypes: ['llama'], read: readLlama }
