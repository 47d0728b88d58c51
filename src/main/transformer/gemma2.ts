/**
 * Gemma-2 (Gemma Team 2024, arXiv:2408.00118): grouped-query attention with soft-capped scores, alternating local and
 * global attention, norms before and after each sublayer, a gated GELU MLP, tied embeddings, soft-capped logits.
 * Tensor names and config fields are Hugging Face's, hook points TransformerLens's (post-norms stand before hook_attn_out
 * and hook_mlp_out).
 *
 * Processing: fold_ln moves the gains of ln1, ln2 and ln_final into the weights behind them, which changes no hook point
 * but mlp.hook_in; TransformerLens skips centring for RMSNorm and for soft-capped logits; there are no value biases.
 */
import { z } from 'zod'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { Value } from '../onnx/graph.ts'
import { mapAsFloat32, mapWeight } from '../onnx/weights.ts'
import { attend } from './attention.ts'
import { ConfigReader } from './config.ts'
import type { Family, Reading, Transformer } from './family.ts'
import type { HookedGraph } from './hooked-graph.ts'
import { project } from './linear.ts'
import { rmsNormalize } from './rms-norm.ts'
import { rotaryTables, rotate } from './rotary.ts'
import { WeightMap } from './weights.ts'

const size = z.int().positive()

const gemma2Config = z.object({
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  num_key_value_heads: size,
  head_dim: size.default(256),
  max_position_embeddings: size.default(8192),
  query_pre_attn_scalar: z.number().positive().default(256),
  attn_logit_softcapping: z.number().positive().nullable().default(50),
  final_logit_softcapping: z.number().positive().nullable().default(30),
  sliding_window: size.nullable().default(4096),
  layer_types: z.array(z.enum(['sliding_attention', 'full_attention'])).optional(),
  rope_theta: z.number().positive().default(10000),
  rms_norm_eps: z.number().positive().default(1e-6),
  hidden_activation: z.literal('gelu_pytorch_tanh').nullish(),
  attention_bias: z.literal(false).default(false),
  tie_word_embeddings: z.literal(true).default(true),
  bos_token_id: z.int().nonnegative().nullable().default(2),
  eos_token_id: z
    .union([z.int(), z.array(z.int())])
    .nullable()
    .default(1),
  pad_token_id: z.int().nullable().default(0)
})
type Gemma2Config = z.infer<typeof gemma2Config>

/** Whether a layer attends locally. TransformerLens takes layer 0 as global, the checkpoint as sliding. */
function isLocal(config: Gemma2Config, layer: number, order: Reading['layerOrder']): boolean {
  if (order === 'transformer-lens') return layer % 2 === 1
  return config.layer_types === undefined ? layer % 2 === 0 : config.layer_types[layer] === 'sliding_attention'
}

function readGemma2(checkpoint: Checkpoint, reading: Reading): Transformer {
  const reader = new ConfigReader(checkpoint)
  const config = reader.parse(gemma2Config)
  reader.requireMultiple('num_attention_heads', config.num_attention_heads, 'num_key_value_heads', config.num_key_value_heads)
  reader.requireMultiple('head_dim', config.head_dim, 'rotary halves', 2)
  if (config.layer_types !== undefined) reader.requireLength('layer_types', config.layer_types, config.num_hidden_layers)

  const shape = {
    layers: config.num_hidden_layers,
    dModel: config.hidden_size,
    heads: config.num_attention_heads,
    keyValueHeads: config.num_key_value_heads,
    dHead: config.head_dim,
    dMlp: config.intermediate_size,
    vocabulary: config.vocab_size,
    context: config.max_position_embeddings
  }
  const { dModel, dMlp, heads, keyValueHeads, dHead } = shape
  const weights = new WeightMap(checkpoint)
  const embedding = weights.tensor('model.embed_tokens.weight', [shape.vocabulary, dModel])
  const gainsFolded = reading.processing.has('fold_ln')

  /** x * (1 + w): Gemma stores the gain minus one. */
  function gain(g: HookedGraph, x: Value, name: string): Value {
    const weight = mapAsFloat32(g.graph, weights.tensor(name, [dModel]))
    return g.graph.multiply(x, g.graph.add(weight, g.graph.scalar(1)))
  }

  function attention(g: HookedGraph, layer: number, x: Value): Value {
    const name = `blocks.${layer}.attn`
    const linear = (part: string, rows: number, columns: number) =>
      mapAsFloat32(g.graph, weights.tensor(`model.layers.${layer}.self_attn.${part}_proj.weight`, [rows, columns]))
    const q = g.hook(`${name}.hook_q`, project(g, x, dModel, linear('q', heads * dHead, dModel), [heads, dHead]), [
      'position',
      heads,
      dHead
    ])
    const keyValue = ['position', keyValueHeads, dHead] as const
    const k = g.hook(`${name}.hook_k`, project(g, x, dModel, linear('k', keyValueHeads * dHead, dModel), [keyValueHeads, dHead]), keyValue)
    const v = g.hook(`${name}.hook_v`, project(g, x, dModel, linear('v', keyValueHeads * dHead, dModel), [keyValueHeads, dHead]), keyValue)
    const rotatedQ = g.hook(`${name}.hook_rot_q`, rotate(g, q, dHead, 'rotary'), ['position', heads, dHead])
    const rotatedK = g.hook(`${name}.hook_rot_k`, rotate(g, k, dHead, 'rotary'), keyValue)
    const scores = {
      scale: Math.sqrt(config.query_pre_attn_scalar),
      softCap: config.attn_logit_softcapping,
      window: isLocal(config, layer, reading.layerOrder) ? config.sliding_window : null
    }
    const z = attend(g, name, rotatedQ, rotatedK, v, shape, scores)
    return project(g, z, heads * dHead, linear('o', dModel, heads * dHead), [dModel])
  }

  function gatedMlp(g: HookedGraph, layer: number, x: Value): Value {
    const { graph } = g
    const name = `blocks.${layer}.mlp`
    const linear = (part: string, rows: number, columns: number) =>
      mapAsFloat32(graph, weights.tensor(`model.layers.${layer}.mlp.${part}_proj.weight`, [rows, columns]))
    const wide = ['position', dMlp] as const
    const gate = g.hook(`${name}.hook_pre`, project(g, x, dModel, linear('gate', dMlp, dModel), [dMlp]), wide)
    const up = g.hook(`${name}.hook_pre_linear`, project(g, x, dModel, linear('up', dMlp, dModel), [dMlp]), wide)
    const post = g.hook(`${name}.hook_post`, graph.multiply(graph.geluTanh(gate), up), wide)
    return project(g, post, dMlp, linear('down', dModel, dMlp), [dModel])
  }

  return {
    shape,
    unembedding: { weight: embedding, softCap: config.final_logit_softcapping },
    specialIds: [config.bos_token_id, config.pad_token_id, config.eos_token_id].flat().filter(id => id !== null),
    bosId: config.bos_token_id,

    positionInputs(length) {
      const { cos, sin } = rotaryTables(length, dHead, config.rope_theta)
      return new Map([
        ['positions', { data: Float32Array.from({ length }, (_, position) => position), shape: [length] }],
        ['rotary.cos', { data: cos, shape: [length, dHead / 2] }],
        ['rotary.sin', { data: sin, shape: [length, dHead / 2] }]
      ])
    },

    embed(g) {
      const { graph } = g
      const ids = graph.input('ids', 'int64', ['position'])
      const rows = graph.cast(graph.gather(mapWeight(graph, embedding), ids), 'float32')
      const scaled = graph.multiply(graph.unsqueeze(rows, [0]), graph.scalar(Math.sqrt(dModel)))
      return g.hook('hook_embed', scaled, ['position', dModel])
    },

    block(g, layer, residual) {
      const { graph } = g
      const name = `blocks.${layer}`
      const tensor = (norm: string) => `model.layers.${layer}.${norm}.weight`
      const stream = ['position', dModel] as const

      const resid = g.hook(`${name}.hook_resid_pre`, residual, stream)
      const read = gain(g, rmsNormalize(g, `${name}.ln1`, resid, dModel, config.rms_norm_eps), tensor('input_layernorm'))
      const attended = rmsNormalize(g, `${name}.ln1_post`, attention(g, layer, read), dModel, config.rms_norm_eps)
      const attnOut = g.hook(`${name}.hook_attn_out`, gain(g, attended, tensor('post_attention_layernorm')), stream)
      const middle = g.hook(`${name}.hook_resid_mid`, graph.add(resid, attnOut), stream)

      const normalized = rmsNormalize(g, `${name}.ln2`, middle, dModel, config.rms_norm_eps)
      const mlpGain = (x: Value) => gain(g, x, tensor('pre_feedforward_layernorm'))
      const mlpIn = mlpInput(g, name, normalized, mlpGain)
      const written = rmsNormalize(g, `${name}.ln2_post`, gatedMlp(g, layer, mlpIn), dModel, config.rms_norm_eps)
      const mlpOut = g.hook(`${name}.hook_mlp_out`, gain(g, written, tensor('post_feedforward_layernorm')), stream)
      return g.hook(`${name}.hook_resid_post`, graph.add(middle, mlpOut), stream)
    },

    finalNorm(g, residual) {
      const normalized = rmsNormalize(g, 'ln_final', residual, dModel, config.rms_norm_eps)
      return gain(g, normalized, 'model.norm.weight')
    }
  }

  /** What the MLP reads; where the gain is folded into its weights, the hook point stands before the gain. */
  function mlpInput(g: HookedGraph, block: string, normalized: Value, applyGain: (x: Value) => Value): Value {
    if (!reading.hookMlpIn) return applyGain(normalized)
    const hook = (x: Value) => g.hook(`${block}.mlp.hook_in`, x, ['position', dModel])
    if (!gainsFolded) return hook(applyGain(normalized))
    return g.unfolded(`${block}.mlp.hook_in`, applyGain(hook(normalized)), ['position', dModel])
  }
}

export const gemma2: Family = { modelTypes: ['gemma2'], read: readGemma2 }
