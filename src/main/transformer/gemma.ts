/** Gemma (Gemma Team 2024, arXiv:2403.08295): Llama's decoder with a gated GELU MLP and scaled, tied embeddings. */
import { z } from 'zod'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { activationName } from './activation-function.ts'
import { ConfigReader, tokenFields } from './config.ts'
import type { Family, Reading, Transformer } from './family.ts'
import { describeLlama, llamaFields } from './llama-config.ts'
import { llamaDecoder } from './llama-decoder.ts'

const gemmaConfig = z.object({
  ...llamaFields({
    vocab_size: 256000,
    hidden_size: 3072,
    intermediate_size: 24576,
    num_hidden_layers: 28,
    num_attention_heads: 16,
    num_key_value_heads: 16,
    head_dim: 256,
    max_position_embeddings: 8192,
    tie_word_embeddings: true
  }),
  ...tokenFields({ bos: 2, eos: 1, pad: 0 }),
  hidden_act: activationName.nullish(),
  hidden_activation: activationName.nullish(),
  attention_bias: z.boolean().default(false)
})

function readGemma(checkpoint: Checkpoint, reading: Reading): Transformer {
  const reader = ConfigReader.of(checkpoint)
  const config = reader.parse(gemmaConfig)
  const base = describeLlama(reader, config)
  // The first configs say "gelu" where Gemma has always meant the tanh form.
  const hiddenAct = config.hidden_act === 'gelu' ? 'gelu_pytorch_tanh' : config.hidden_act
  return llamaDecoder(checkpoint, reading, {
    ...base,
    embeddingScale: Math.sqrt(base.shape.dModel),
    storedGain: 'minus-one',
    biases: { queryKeyValue: config.attention_bias, attentionOutput: config.attention_bias, mlp: false },
    activation: config.hidden_activation ?? hiddenAct ?? 'gelu_pytorch_tanh'
  })
}

export const gemma: Family = { modelTypes: ['gemma'], read: readGemma }
