/** What the configs of Llama and its descendants have in common. */
import { z } from 'zod'
import { type ConfigReader, size, specialTokens, type TokenIds } from './config.ts'
import type { TransformerShape } from './family.ts'
import type { LlamaDecoder } from './llama-decoder.ts'
import { type RopeConfig, ropeFields, ropeFrequencies } from './rope-parameters.ts'

/** Sizes by config.json's names. */
interface Sizes {
  readonly vocab_size: number
  readonly hidden_size: number
  readonly intermediate_size: number
  readonly num_hidden_layers: number
  readonly num_attention_heads: number
  /** Null: as many as there are heads. */
  readonly num_key_value_heads: number | null
  /** Null: hidden_size / num_attention_heads. */
  readonly head_dim: number | null
  readonly max_position_embeddings: number
}

type LlamaConfig = Sizes & TokenIds & RopeConfig & { readonly rms_norm_eps: number; readonly tie_word_embeddings: boolean }

/** The common fields of a schema. `defaults` are those of transformers' config class, which a config.json may leave out. */
export function llamaFields(defaults: Sizes & { readonly tie_word_embeddings: boolean }) {
  return {
    vocab_size: size.default(defaults.vocab_size),
    hidden_size: size.default(defaults.hidden_size),
    intermediate_size: size.default(defaults.intermediate_size),
    num_hidden_layers: size.default(defaults.num_hidden_layers),
    num_attention_heads: size.default(defaults.num_attention_heads),
    num_key_value_heads: size.nullable().default(defaults.num_key_value_heads),
    head_dim: size.nullable().default(defaults.head_dim),
    max_position_embeddings: size.default(defaults.max_position_embeddings),
    rms_norm_eps: z.number().positive().default(1e-6),
    tie_word_embeddings: z.boolean().default(defaults.tie_word_embeddings),
    ...ropeFields
  }
}

/** Llama itself at a config's sizes: what a descendant does not change. Throws `checkpoint/config` naming the field. */
export function describeLlama(reader: ConfigReader, config: LlamaConfig): LlamaDecoder {
  const shape = llamaShape(reader, config)
  const rotary = { table: 'rotary', frequencies: ropeFrequencies(reader, config, shape.dHead, { theta: 10000, partialFactor: null }) }
  return {
    shape,
    ...specialTokens(config),
    prefixes: ['model.', ''],
    unembeddingNames: ['lm_head.weight'],
    isTied: config.tie_word_embeddings,
    embeddingScale: 1,
    epsilon: config.rms_norm_eps,
    storedGain: 'whole',
    hasPostNorms: false,
    hasQueryKeyNorms: false,
    biases: { queryKeyValue: false, attentionOutput: false, mlp: false },
    activation: 'silu',
    logitSoftCap: null,
    scoresOf: () => ({ scale: Math.sqrt(shape.dHead), softCap: null, window: null }),
    rotaryOf: () => rotary,
    rotaries: [rotary]
  }
}

/** The sizes of the decoder. Throws `checkpoint/config` where they do not divide as they must. */
function llamaShape(reader: ConfigReader, config: Sizes): TransformerShape {
  const heads = config.num_attention_heads
  const keyValueHeads = config.num_key_value_heads ?? heads
  reader.requireMultiple('num_attention_heads', heads, 'num_key_value_heads', keyValueHeads)
  if (config.head_dim === null) reader.requireMultiple('hidden_size', config.hidden_size, 'num_attention_heads', heads)
  const dHead = config.head_dim ?? config.hidden_size / heads
  if (dHead % 2 !== 0) reader.refuse('head_dim', `is ${dHead}, and rotary positions need an even number`)
  return {
    layers: config.num_hidden_layers,
    dModel: config.hidden_size,
    heads,
    keyValueHeads,
    dHead,
    dMlp: config.intermediate_size,
    vocabulary: config.vocab_size,
    context: config.max_position_embeddings
  }
}
