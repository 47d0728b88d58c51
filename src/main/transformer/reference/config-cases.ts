/** Configs and checkpoint layouts that people have and the golden data does not: each with made-up weights, for configs.test.ts. */
import type { Config, Tensor } from './float64-forward.ts'
import { type Dtype, makeTensors } from './tiny-checkpoint.ts'

export interface ConfigCase {
  readonly title: string
  readonly config: Config
  readonly tensors: ReadonlyMap<string, Tensor>
  readonly dtype: Dtype
}

interface Layout {
  /** Before the names of the decoder's tensors. */
  readonly prefix?: string
  /** The name of an unembedding of its own. */
  readonly head?: string
  readonly dtype?: Dtype
  /** Tensors that the model does not read. */
  readonly unread?: Readonly<Record<string, number[]>>
}

const vocabulary = 40

function configCase(title: string, config: Config, layout: Layout = {}): ConfigCase {
  const { prefix = '', head, dtype = 'F32', unread = {} } = layout
  const text = { ...(config.text_config ?? config), model_type: config.model_type } as Config
  const width = Number(text.hidden_size ?? text.n_embd)
  const heads = { ...(head === undefined ? {} : { [head]: [vocabulary, width] }), ...unread }
  return { title, config, dtype, tensors: makeTensors(text, prefix, heads, dtype) }
}

const gpt2 = { model_type: 'gpt2', vocab_size: vocabulary, n_positions: 24, n_embd: 16, n_layer: 2, n_head: 2 }
const neox = {
  model_type: 'gpt_neox',
  vocab_size: vocabulary,
  hidden_size: 24,
  intermediate_size: 40,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 24
}
const neoxHead = { prefix: 'gpt_neox.', head: 'embed_out.weight' }
const sizes = {
  vocab_size: vocabulary,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64
}
const llama = { model_type: 'llama', ...sizes }
const mistral = { model_type: 'mistral', ...sizes, sliding_window: 3 }
const qwen2 = { model_type: 'qwen2', ...sizes }
const qwen3 = { model_type: 'qwen3', ...sizes, head_dim: 6 }
const gemma = { model_type: 'gemma', ...sizes, head_dim: 10 }
const gemma2 = { model_type: 'gemma2', ...sizes, head_dim: 10, query_pre_attn_scalar: 7, sliding_window: 3 }
const gemma3 = { ...sizes, head_dim: 10, query_pre_attn_scalar: 7, sliding_window: 3, sliding_window_pattern: 2 }
const llama3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 }
const below = { prefix: 'model.' }
const untied = { prefix: 'model.', head: 'lm_head.weight' }

export const configCases: readonly ConfigCase[] = [
  configCase("GPT-2 below transformer., attention's buffers beside the weights", gpt2, {
    prefix: 'transformer.',
    unread: {
      'transformer.h.0.attn.bias': [1, 1, 24, 24],
      'transformer.h.0.attn.masked_bias': [],
      'transformer.h.1.attn.bias': [1, 1, 24, 24]
    }
  }),
  configCase('GPT-2 with scores scaled by layer too', { ...gpt2, scale_attn_by_inverse_layer_idx: true }),
  configCase('GPT-2 with scores not scaled', { ...gpt2, scale_attn_weights: false }),
  configCase('GPT-2 with an MLP of its own width, ReLU and another epsilon', {
    ...gpt2,
    n_inner: 20,
    activation_function: 'relu',
    layer_norm_epsilon: 0.01
  }),
  configCase(
    'GPT-2 with an unembedding of its own',
    { ...gpt2, tie_word_embeddings: false },
    { prefix: 'transformer.', head: 'lm_head.weight' }
  ),
  configCase('GPT-2 in float16', gpt2, { dtype: 'F16' }),

  configCase('GPT-NeoX, sublayers one after the other', { ...neox, use_parallel_residual: false }, neoxHead),
  configCase('GPT-NeoX, heads turning whole, another base', { ...neox, rotary_pct: 1, rotary_emb_base: 500 }, neoxHead),
  configCase('GPT-NeoX, half of each head turning, tanh GELU', { ...neox, rotary_pct: 0.5, hidden_act: 'gelu_new' }, neoxHead),
  configCase('GPT-NeoX, an odd number of features turning', { ...neox, rotary_pct: 0.3 }, neoxHead),
  configCase('GPT-NeoX without attention biases', { ...neox, attention_bias: false }, neoxHead),
  configCase('GPT-NeoX, linear rope scaling', { ...neox, rope_scaling: { type: 'linear', factor: 3 } }, neoxHead),
  configCase(
    'GPT-NeoX as transformers 5 writes it',
    { ...neox, rope_parameters: { rope_type: 'default', rope_theta: 700, partial_rotary_factor: 0.5 } },
    { prefix: 'gpt_neox.', head: 'lm_head.weight' }
  ),
  configCase('GPT-NeoX without prefix, tied, another epsilon', { ...neox, tie_word_embeddings: true, layer_norm_eps: 0.01 }),
  configCase('GPT-NeoX in float16, with buffers', neox, {
    ...neoxHead,
    dtype: 'F16',
    unread: {
      'gpt_neox.layers.0.attention.bias': [1, 1, 24, 24],
      'gpt_neox.layers.0.attention.masked_bias': [],
      'gpt_neox.layers.0.attention.rotary_emb.inv_freq': [2]
    }
  }),

  configCase('Llama without num_key_value_heads', { ...llama, num_key_value_heads: undefined }, untied),
  configCase('Llama with all biases', { ...llama, attention_bias: true, mlp_bias: true }, untied),
  configCase('Llama with wide heads, GELU, another epsilon', { ...llama, head_dim: 6, hidden_act: 'gelu', rms_norm_eps: 0.01 }, untied),
  configCase('Llama, tied', { ...llama, tie_word_embeddings: true }, below),
  configCase('Llama without prefix', llama, { head: 'lm_head.weight' }),
  configCase('Llama, linear rope scaling as it was written at first', { ...llama, rope_scaling: { type: 'linear', factor: 4 } }, untied),
  configCase(
    'Llama 3.1 rope scaling',
    { ...llama, head_dim: 16, rope_theta: 1000, rope_scaling: { ...llama3, original_max_position_embeddings: 48 } },
    untied
  ),
  configCase(
    'Llama 3.1 rope scaling as transformers 5 writes it, trained on the whole context',
    { ...llama, head_dim: 16, rope_parameters: { ...llama3, rope_theta: 1000 } },
    untied
  ),
  configCase('Llama in bfloat16', llama, { ...untied, dtype: 'BF16' }),
  configCase('Llama in float16', llama, { ...untied, dtype: 'F16' }),

  configCase('Mistral without a window', { ...mistral, sliding_window: null }, untied),
  configCase('Mistral with a window, a head_dim and another base', { ...mistral, head_dim: 6, rope_theta: 1e6 }, untied),
  configCase('Mistral, one key-value head', { ...mistral, num_key_value_heads: 1 }, untied),

  configCase('Qwen2 with windows from a layer on', { ...qwen2, use_sliding_window: true, sliding_window: 3, max_window_layers: 1 }, untied),
  configCase(
    'Qwen2 with a window that is not used',
    { ...qwen2, use_sliding_window: false, sliding_window: 3, max_window_layers: 0 },
    untied
  ),
  configCase(
    'Qwen2 with layer_types',
    {
      ...qwen2,
      use_sliding_window: true,
      sliding_window: 3,
      layer_types: ['sliding_attention', 'full_attention', 'sliding_attention']
    },
    untied
  ),
  configCase('Qwen2, tied, heads that do not share', { ...qwen2, num_key_value_heads: 4, tie_word_embeddings: true }, below),
  configCase('Qwen3 with attention biases', { ...qwen3, attention_bias: true, tie_word_embeddings: true }, below),
  configCase('Qwen3 without head_dim', { ...qwen3, head_dim: undefined }, untied),
  configCase(
    'Qwen3 with windows',
    { ...qwen3, use_sliding_window: true, sliding_window: 2, max_window_layers: 2, rope_theta: 1e6 },
    untied
  ),

  configCase('Gemma whose config says gelu', { ...gemma, hidden_act: 'gelu', hidden_activation: null }, below),
  configCase('Gemma with attention biases, in bfloat16', { ...gemma, attention_bias: true }, { ...below, dtype: 'BF16' }),
  configCase('Gemma with an unembedding of its own', { ...gemma, tie_word_embeddings: false }, untied),
  configCase('Gemma-2 without soft caps', { ...gemma2, attn_logit_softcapping: null, final_logit_softcapping: null }, below),
  configCase(
    'Gemma-2 with layer_types',
    { ...gemma2, layer_types: ['full_attention', 'full_attention', 'sliding_attention'], final_logit_softcapping: 5.5 },
    below
  ),
  configCase('Gemma-2 with an unembedding of its own', { ...gemma2, tie_word_embeddings: false }, untied),

  configCase(
    'Gemma-3, global layers with linear rope scaling',
    {
      model_type: 'gemma3_text',
      ...gemma3,
      rope_scaling: { rope_type: 'linear', factor: 8 },
      rope_theta: 2000,
      rope_local_base_freq: 50
    },
    below
  ),
  configCase(
    'Gemma-3 with layer_types and capped logits',
    {
      model_type: 'gemma3_text',
      ...gemma3,
      layer_types: ['full_attention', 'sliding_attention', 'full_attention'],
      final_logit_softcapping: 3.5
    },
    below
  ),
  configCase(
    'Gemma-3 as transformers 5 writes it',
    {
      model_type: 'gemma3_text',
      ...gemma3,
      layer_types: ['sliding_attention', 'full_attention', 'sliding_attention'],
      rope_parameters: {
        full_attention: { rope_type: 'linear', factor: 4, rope_theta: 3000 },
        sliding_attention: { rope_type: 'default', rope_theta: 60 }
      }
    },
    below
  ),
  ...['language_model.model.', 'model.language_model.', 'language_model.'].map(prefix =>
    configCase(
      `Gemma-3, multimodal, below ${prefix}`,
      { model_type: 'gemma3', text_config: gemma3, eos_token_id: [1, 7] },
      {
        prefix,
        unread: { 'vision_tower.vision_model.embeddings.position_embedding.weight': [4, 4] }
      }
    )
  ),
  configCase(
    'Gemma-3, multimodal, with an unembedding of its own',
    { model_type: 'gemma3', text_config: { ...gemma3, rope_scaling: { rope_type: 'linear', factor: 8 } }, tie_word_embeddings: false },
    { prefix: 'language_model.model.', head: 'language_model.lm_head.weight' }
  )
]
