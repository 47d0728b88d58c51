/**
 * GPT-2 (Radford et al. 2019): learned positions, LayerNorm before each sublayer, one matrix for queries, keys and values,
 * tied embeddings. Tensor names and config fields are Hugging Face's, hook points TransformerLens's.
 *
 * Processing: all four of TransformerLens's flags do something here; where they act is said in layer-norm.ts and
 * fused-attention.ts. center_writing_weights takes the mean over dModel out of what is written to the residual stream, not
 * out of the stream itself, so that a spliced SAE's mean stays.
 */
import { z } from 'zod'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { Value } from '../onnx/graph.ts'
import { activationName } from './activation-function.ts'
import { ConfigReader, size, specialTokens, tokenFields } from './config.ts'
import { embedPositions, embedTokens } from './embedding.ts'
import type { Family, Reading, Transformer } from './family.ts'
import { fusedAttention } from './fused-attention.ts'
import type { HookedGraph } from './hooked-graph.ts'
import { centre, layerNorm } from './layer-norm.ts'
import { mlp } from './mlp.ts'
import { readNorm } from './norm.ts'
import { positionsInput } from './positions.ts'
import { WeightMap } from './weights.ts'

const gpt2Config = z.object({
  vocab_size: size.default(50257),
  n_positions: size.default(1024),
  n_embd: size.default(768),
  n_layer: size.default(12),
  n_head: size.default(12),
  n_inner: size.nullish(),
  activation_function: activationName.default('gelu_new'),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(true),
  ...tokenFields({ bos: 50256, eos: 50256, pad: null })
})

function readGpt2(checkpoint: Checkpoint, reading: Reading): Transformer {
  const reader = ConfigReader.of(checkpoint)
  const config = reader.parse(gpt2Config)
  reader.requireMultiple('n_embd', config.n_embd, 'n_head', config.n_head)

  const shape = {
    layers: config.n_layer,
    dModel: config.n_embd,
    heads: config.n_head,
    keyValueHeads: config.n_head,
    dHead: config.n_embd / config.n_head,
    dMlp: config.n_inner ?? 4 * config.n_embd,
    vocabulary: config.vocab_size,
    context: config.n_positions
  }
  const { dModel, dMlp, heads, dHead } = shape
  const stream = ['position', dModel] as const
  const weights = new WeightMap(checkpoint, ['', 'transformer.'], 'wte.weight')
  const tokens = weights.tensor('wte.weight', [shape.vocabulary, dModel])
  const positions = weights.tensor('wpe.weight', [shape.context, dModel])
  const isFolded = reading.processing.has('fold_ln')

  function written(g: HookedGraph, x: Value): Value {
    return reading.processing.has('center_writing_weights') ? centre(g, x) : x
  }

  function norm(g: HookedGraph, name: string, x: Value, tensor: string) {
    const [gain, bias] = [weights.tensor(`${tensor}.weight`, [dModel]), weights.tensor(`${tensor}.bias`, [dModel])]
    return layerNorm(g, name, x, { gain, bias, epsilon: config.layer_norm_epsilon, isFolded })
  }

  function scoreScale(layer: number): number {
    return (config.scale_attn_weights ? Math.sqrt(dHead) : 1) * (config.scale_attn_by_inverse_layer_idx ? layer + 1 : 1)
  }

  return {
    shape,
    ...specialTokens(config),
    unembedding: {
      weight: weights.unembedding(tokens, config.tie_word_embeddings, ['lm_head.weight']),
      softCap: null,
      isCentred: reading.processing.has('center_unembed')
    },
    positionInputs: (start, end) => new Map([positionsInput(start, end)]),

    embed(g) {
      const embedded = g.hook('hook_embed', written(g, embedTokens(g, tokens)), stream)
      return g.graph.add(embedded, g.hook('hook_pos_embed', written(g, embedPositions(g, positions)), stream))
    },

    block(g, layer, residual) {
      const name = `blocks.${layer}`
      const attention = {
        heads,
        dHead,
        queryKeyValue: weights.conv1d(`h.${layer}.attn.c_attn`, dModel, 3 * dModel),
        order: 'part-head',
        output: weights.conv1d(`h.${layer}.attn.c_proj`, dModel, dModel),
        rotary: null,
        scores: { scale: scoreScale(layer), softCap: null, window: null }
      } as const
      const feedForward = {
        dModel,
        dMlp,
        input: weights.conv1d(`h.${layer}.mlp.c_fc`, dModel, dMlp),
        output: weights.conv1d(`h.${layer}.mlp.c_proj`, dMlp, dModel),
        activation: config.activation_function
      }

      const resid = g.hook(`${name}.hook_resid_pre`, residual, stream)
      const ln1 = norm(g, `${name}.ln1`, resid, `h.${layer}.ln_1`)
      const attended = fusedAttention(g, `${name}.attn`, ln1, attention, reading)
      const attnOut = g.hook(`${name}.hook_attn_out`, written(g, attended), stream)
      const middle = g.hook(`${name}.hook_resid_mid`, g.graph.add(resid, attnOut), stream)
      const ln2 = norm(g, `${name}.ln2`, middle, `h.${layer}.ln_2`)
      const mlpOut = g.hook(`${name}.hook_mlp_out`, written(g, mlp(g, `${name}.mlp`, ln2, feedForward, reading)), stream)
      return g.hook(`${name}.hook_resid_post`, g.graph.add(middle, mlpOut), stream)
    },

    finalNorm: (g, residual) => readNorm(g, norm(g, 'ln_final', residual, 'ln_f'))
  }
}

export const gpt2: Family = { modelTypes: ['gpt2'], read: readGpt2 }
