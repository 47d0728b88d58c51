/** Mistral (Jiang et al. 2023, arXiv:2310.06825): Llama's decoder, every layer with a sliding window unless the config has none. */
import { z } from 'zod'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { activationName } from './activation-function.ts'
import { ConfigReader, size, tokenFields } from './config.ts'
import type { Family, Reading, Transformer } from './family.ts'
import { layerTypes } from './layer-types.ts'
import { describeLlama, llamaFields } from './llama-config.ts'
import { llamaDecoder } from './llama-decoder.ts'

const mistralConfig = z.object({
  ...llamaFields({
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 14336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: null,
    max_position_embeddings: 131072,
    tie_word_embeddings: false
  }),
  ...tokenFields({ bos: 1, eos: 2, pad: null }),
  hidden_act: activationName.default('silu'),
  sliding_window: size.nullable().default(4096),
  layer_types: layerTypes.nullish()
})

function readMistral(checkpoint: Checkpoint, reading: Reading): Transformer {
  const reader = ConfigReader.of(checkpoint)
  const config = reader.parse(mistralConfig)
  const base = describeLlama(reader, config)
  const expected = config.sliding_window === null ? 'full_attention' : 'sliding_attention'
  const mixed = config.layer_types?.find(type => type !== expected)
  if (mixed !== undefined) reader.refuse('layer_types', `has ${mixed}, but every layer of Mistral attends alike, by sliding_window`)
  return llamaDecoder(checkpoint, reading, {
    ...base,
    activation: config.hidden_act,
    scoresOf: layer => ({ ...base.scoresOf(layer), window: config.sliding_window })
  })
}

export const mistral: Family = { modelTypes: ['mistral'], read: readMistral }
