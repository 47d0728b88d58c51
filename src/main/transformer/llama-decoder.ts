/**
 * The decoder of Llama (Touvron et al. 2023) and its descendants Mistral, Qwen and Gemma: RMSNorm before each sublayer (and,
 * in Gemma-2 and -3, behind it), grouped-query attention with rotary positions, a gated MLP. A family describes its own by
 * `LlamaDecoder`; tensor names are Hugging Face's, hook points TransformerLens's (post-norms stand before hook_attn_out and
 * hook_mlp_out).
 *
 * Processing: fold_ln moves the gains of ln1, ln2 and ln_final into the weights behind them, which changes no hook point but
 * mlp.hook_in; gains of post-norms and of query and key norms are never folded. TransformerLens skips center_writing_weights
 * for RMSNorm, and center_unembed where logits are soft-capped. fold_value_biases: grouped-query-attention.ts.
 */
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { Value } from '../onnx/graph.ts'
import type { ActivationName } from './activation-function.ts'
import type { AttentionScores } from './attention.ts'
import { embedTokens } from './embedding.ts'
import type { Reading, Transformer, TransformerShape } from './family.ts'
import { gatedMlp } from './gated-mlp.ts'
import { groupedQueryAttention } from './grouped-query-attention.ts'
import type { HookedGraph } from './hooked-graph.ts'
import { readNorm } from './norm.ts'
import { positionsInput } from './positions.ts'
import { type RmsNorm, rmsNorm } from './rms-norm.ts'
import { type Rotary, rotaryInputs } from './rotary.ts'
import { WeightMap } from './weights.ts'

/** What sets one descendant of Llama apart from another. */
export interface LlamaDecoder {
  readonly shape: TransformerShape
  readonly specialIds: readonly number[]
  readonly eosIds: readonly number[]
  readonly bosId: number | null
  /** Where tensors may stand: prefixes of the decoder's, whole names of an unembedding that is not tied. */
  readonly prefixes: readonly string[]
  readonly unembeddingNames: readonly string[]
  readonly isTied: boolean
  /** What embeddings are multiplied with: sqrt(dModel) in Gemma. */
  readonly embeddingScale: number
  readonly epsilon: number
  readonly storedGain: RmsNorm['storedGain']
  readonly hasPostNorms: boolean
  readonly hasQueryKeyNorms: boolean
  readonly biases: { readonly queryKeyValue: boolean; readonly attentionOutput: boolean; readonly mlp: boolean }
  readonly activation: ActivationName
  readonly logitSoftCap: number | null
  readonly scoresOf: (layer: number) => AttentionScores
  readonly rotaryOf: (layer: number) => Rotary
  /** All that `rotaryOf` gives. */
  readonly rotaries: readonly Rotary[]
}

/** The tensors of ln1, ln1_post, ln2 and ln2_post. Llama calls post_attention_layernorm what stands before its MLP. */
const normTensors = {
  ln1: 'input_layernorm',
  ln1_post: 'post_attention_layernorm',
  ln2: (hasPostNorms: boolean) => (hasPostNorms ? 'pre_feedforward_layernorm' : 'post_attention_layernorm'),
  ln2_post: 'post_feedforward_layernorm'
} as const

/** Reads the decoder's tensors as `decoder` describes them. Throws what `WeightMap` throws. */
export function llamaDecoder(checkpoint: Checkpoint, reading: Reading, decoder: LlamaDecoder): Transformer {
  const { shape, biases } = decoder
  const { dModel, dMlp, heads, keyValueHeads, dHead } = shape
  const stream = ['position', dModel] as const
  const weights = new WeightMap(checkpoint, decoder.prefixes, 'embed_tokens.weight')
  const embedding = weights.tensor('embed_tokens.weight', [shape.vocabulary, dModel])
  const isFolded = reading.processing.has('fold_ln')

  function gainOf(tensor: string, width: number): RmsNorm {
    return { weight: weights.tensor(`${tensor}.weight`, [width]), epsilon: decoder.epsilon, storedGain: decoder.storedGain }
  }

  function normBefore(g: HookedGraph, name: string, x: Value, tensor: string) {
    return rmsNorm(g, name, x, gainOf(tensor, dModel), isFolded)
  }

  function normBehind(g: HookedGraph, name: string, x: Value, tensor: string): Value {
    return rmsNorm(g, name, x, gainOf(tensor, dModel), false).output
  }

  function attentionOf(layer: number) {
    const linear = (part: string, out: number, columns: number, hasBias: boolean) =>
      weights.linear(`layers.${layer}.self_attn.${part}_proj`, out, columns, hasBias)
    const headNorm = (part: string) => (decoder.hasQueryKeyNorms ? gainOf(`layers.${layer}.self_attn.${part}_norm`, dHead) : null)
    return {
      ...shape,
      query: linear('q', heads * dHead, dModel, biases.queryKeyValue),
      key: linear('k', keyValueHeads * dHead, dModel, biases.queryKeyValue),
      value: linear('v', keyValueHeads * dHead, dModel, biases.queryKeyValue),
      output: linear('o', dModel, heads * dHead, biases.attentionOutput),
      queryNorm: headNorm('q'),
      keyNorm: headNorm('k'),
      rotary: decoder.rotaryOf(layer),
      scores: decoder.scoresOf(layer)
    }
  }

  function mlpOf(layer: number) {
    const linear = (part: string, out: number, columns: number) =>
      weights.linear(`layers.${layer}.mlp.${part}_proj`, out, columns, biases.mlp)
    const [gate, up, down] = [linear('gate', dMlp, dModel), linear('up', dMlp, dModel), linear('down', dModel, dMlp)]
    return { dModel, dMlp, gate, up, down, activation: decoder.activation }
  }

  return {
    shape,
    specialIds: decoder.specialIds,
    eosIds: decoder.eosIds,
    bosId: decoder.bosId,
    unembedding: {
      weight: weights.unembedding(embedding, decoder.isTied, decoder.unembeddingNames),
      softCap: decoder.logitSoftCap,
      isCentred: reading.processing.has('center_unembed') && decoder.logitSoftCap === null
    },
    positionInputs: (start, end) =>
      new Map([positionsInput(start, end), ...decoder.rotaries.flatMap(rotary => rotaryInputs(rotary, start, end))]),

    embed(g) {
      const rows = embedTokens(g, embedding)
      const scaled = decoder.embeddingScale === 1 ? rows : g.graph.multiply(rows, g.graph.scalar(decoder.embeddingScale))
      return g.hook('hook_embed', scaled, stream)
    },

    block(g, layer, residual) {
      const name = `blocks.${layer}`
      const behind = (norm: 'ln1_post' | 'ln2_post', x: Value) =>
        decoder.hasPostNorms ? normBehind(g, `${name}.${norm}`, x, `layers.${layer}.${normTensors[norm]}`) : x

      const resid = g.hook(`${name}.hook_resid_pre`, residual, stream)
      const ln1 = normBefore(g, `${name}.ln1`, resid, `layers.${layer}.${normTensors.ln1}`)
      const attended = groupedQueryAttention(g, `${name}.attn`, readNorm(g, ln1), attentionOf(layer), reading)
      const attnOut = g.hook(`${name}.hook_attn_out`, behind('ln1_post', attended), stream)
      const middle = g.hook(`${name}.hook_resid_mid`, g.graph.add(resid, attnOut), stream)
      const ln2 = normBefore(g, `${name}.ln2`, middle, `layers.${layer}.${normTensors.ln2(decoder.hasPostNorms)}`)
      const fed = gatedMlp(g, `${name}.mlp`, ln2, mlpOf(layer), reading)
      const mlpOut = g.hook(`${name}.hook_mlp_out`, behind('ln2_post', fed), stream)
      return g.hook(`${name}.hook_resid_post`, g.graph.add(middle, mlpOut), stream)
    },

    finalNorm: (g, residual) => readNorm(g, normBefore(g, 'ln_final', residual, 'norm'))
  }
}
