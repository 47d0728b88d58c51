/**
 * GPT-NeoX (Black et al. 2022; Pythia, Biderman et al. 2023): rotary positions on part of each head, LayerNorm before each
 * sublayer, one matrix for queries, keys and values with heads interleaved, an unembedding of its own. Attention and MLP read
 * the stream side by side, or, where the config says so, one after the other. Tensor names and config fields are Hugging
 * Face's, hook points TransformerLens's (no hook_resid_mid where the sublayers are parallel).
 *
 * Processing as in gpt2.ts.
 */
import { z } from 'zod'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { Value } from '../onnx/graph.ts'
import { activationName } from './activation-function.ts'
import { ConfigReader, size, specialTokens, tokenFields } from './config.ts'
import { embedTokens } from './embedding.ts'
import type { Family, Reading, Transformer } from './family.ts'
import { fusedAttention } from './fused-attention.ts'
import type { HookedGraph } from './hooked-graph.ts'
import { centre, layerNorm } from './layer-norm.ts'
import { mlp } from './mlp.ts'
import { readNorm } from './norm.ts'
import { positionsInput } from './positions.ts'
import { ropeFields, ropeFrequencies } from './rope-parameters.ts'
import { rotaryInputs } from './rotary.ts'
import { WeightMap } from './weights.ts'

const gptNeoxConfig = z.object({
  vocab_size: size.default(50432),
  hidden_size: size.default(6144),
  num_hidden_layers: size.default(44),
  num_attention_heads: size.default(64),
  intermediate_size: size.default(24576),
  max_position_embeddings: size.default(2048),
  hidden_act: activationName.default('gelu'),
  layer_norm_eps: z.number().positive().default(1e-5),
  attention_bias: z.boolean().default(true),
  use_parallel_residual: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(false),
  rotary_emb_base: z.number().positive().nullish(),
  rotary_pct: z.number().min(0).max(1).nullish(),
  ...ropeFields,
  ...tokenFields({ bos: 0, eos: 2, pad: null })
})

function readGptNeox(checkpoint: Checkpoint, reading: Reading): Transformer {
  const reader = ConfigReader.of(checkpoint)
  const config = reader.parse(gptNeoxConfig)
  reader.requireMultiple('hidden_size', config.hidden_size, 'num_attention_heads', config.num_attention_heads)

  const shape = {
    layers: config.num_hidden_layers,
    dModel: config.hidden_size,
    heads: config.num_attention_heads,
    keyValueHeads: config.num_attention_heads,
    dHead: config.hidden_size / config.num_attention_heads,
    dMlp: config.intermediate_size,
    vocabulary: config.vocab_size,
    context: config.max_position_embeddings
  }
  const { dModel, dMlp, heads, dHead } = shape
  const stream = ['position', dModel] as const
  const weights = new WeightMap(checkpoint, ['gpt_neox.', ''], 'embed_in.weight')
  const embedding = weights.tensor('embed_in.weight', [shape.vocabulary, dModel])
  const isFolded = reading.processing.has('fold_ln')
  const rope = {
    ...config,
    rope_theta: config.rotary_emb_base ?? config.rope_theta,
    partial_rotary_factor: config.rotary_pct ?? config.partial_rotary_factor
  }
  const rotary = { table: 'rotary', frequencies: ropeFrequencies(reader, rope, dHead, { theta: 10000, partialFactor: 0.25 }) }

  function written(g: HookedGraph, x: Value): Value {
    return reading.processing.has('center_writing_weights') ? centre(g, x) : x
  }

  function norm(g: HookedGraph, name: string, x: Value, tensor: string) {
    const [gain, bias] = [weights.tensor(`${tensor}.weight`, [dModel]), weights.tensor(`${tensor}.bias`, [dModel])]
    return layerNorm(g, name, x, { gain, bias, epsilon: config.layer_norm_eps, isFolded })
  }

  return {
    shape,
    ...specialTokens(config),
    unembedding: {
      weight: weights.unembedding(embedding, config.tie_word_embeddings, ['embed_out.weight', 'lm_head.weight']),
      softCap: null,
      isCentred: reading.processing.has('center_unembed')
    },
    positionInputs: (start, end) => new Map([positionsInput(start, end), ...rotaryInputs(rotary, start, end)]),

    embed: g => g.hook('hook_embed', written(g, embedTokens(g, embedding)), stream),

    block(g, layer, residual) {
      const name = `blocks.${layer}`
      const tensors = `layers.${layer}`
      const attention = {
        heads,
        dHead,
        queryKeyValue: weights.linear(`${tensors}.attention.query_key_value`, 3 * dModel, dModel, config.attention_bias),
        order: 'head-part',
        output: weights.linear(`${tensors}.attention.dense`, dModel, dModel, config.attention_bias),
        rotary,
        scores: { scale: Math.sqrt(dHead), softCap: null, window: null }
      } as const
      const feedForward = {
        dModel,
        dMlp,
        input: weights.linear(`${tensors}.mlp.dense_h_to_4h`, dMlp, dModel, true),
        output: weights.linear(`${tensors}.mlp.dense_4h_to_h`, dModel, dMlp, true),
        activation: config.hidden_act
      }

      const resid = g.hook(`${name}.hook_resid_pre`, residual, stream)
      const ln1 = norm(g, `${name}.ln1`, resid, `${tensors}.input_layernorm`)
      const attended = fusedAttention(g, `${name}.attn`, ln1, attention, reading)
      const attnOut = g.hook(`${name}.hook_attn_out`, written(g, attended), stream)
      const sum = g.graph.add(resid, attnOut)
      const middle = config.use_parallel_residual ? resid : g.hook(`${name}.hook_resid_mid`, sum, stream)
      const ln2 = norm(g, `${name}.ln2`, middle, `${tensors}.post_attention_layernorm`)
      const mlpOut = g.hook(`${name}.hook_mlp_out`, written(g, mlp(g, `${name}.mlp`, ln2, feedForward, reading)), stream)
      return g.hook(`${name}.hook_resid_post`, g.graph.add(config.use_parallel_residual ? sum : middle, mlpOut), stream)
    },

    finalNorm: (g, residual) => readNorm(g, norm(g, 'ln_final', residual, 'final_layer_norm'))
  }
}

export const gptNeox: Family = { modelTypes: ['gpt_neox'], read: readGptNeox }
