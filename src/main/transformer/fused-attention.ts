/**
 * The attention of GPT-2 and GPT-NeoX: one matrix gives queries, keys and values, all with biases, read from a LayerNorm.
 * Activations are cut apart, not the matrix, so that it stays mapped as it lies.
 *
 * Biases are added after the product, and are b + b_norm @ W where fold_ln moved the norm's bias here. Under
 * fold_value_biases v and z lack theirs, and it comes back before the output projection.
 */
import type { Value } from '../onnx/graph.ts'
import { mapAsFloat32 } from '../onnx/weights.ts'
import { type AttentionScores, addValueBias, attend } from './attention.ts'
import type { Reading } from './family.ts'
import type { HookedGraph } from './hooked-graph.ts'
import { type Linear, project, projectWithoutBias } from './linear.ts'
import type { NormOutput } from './norm.ts'
import { type Rotary, rotate } from './rotary.ts'

export interface FusedAttention {
  readonly heads: number
  readonly dHead: number
  readonly queryKeyValue: Linear
  /** Which axis its output has first: GPT-2 all queries, then all keys; GPT-NeoX head after head. */
  readonly order: 'part-head' | 'head-part'
  readonly output: Linear
  readonly rotary: Rotary | null
  readonly scores: AttentionScores
}

/** -> [row, position, dModel], before `hook_attn_out`. `name` is the attention's, `blocks.0.attn`. */
export function fusedAttention(g: HookedGraph, name: string, norm: NormOutput, layer: FusedAttention, reading: Reading): Value {
  const { graph } = g
  const { heads, dHead, queryKeyValue } = layer
  const shape = ['position', heads, dHead] as const
  const [tail, partAxis] = layer.order === 'part-head' ? [[3, heads, dHead], 2] : [[heads, 3, dHead], 3]
  const { products, biases } = multiply(g, norm, queryKeyValue, tail)
  const productOf = (part: number) => graph.take(products, part, partAxis)
  const biasOfPart = (part: number) => (biases === null ? null : graph.take(biases, part, partAxis))
  const withBias = (part: number) => addOptional(g, productOf(part), biasOfPart(part))

  const valueBias = reading.processing.has('fold_value_biases') ? biasOfPart(2) : null
  const q = g.hook(`${name}.hook_q`, withBias(0), shape)
  const k = g.hook(`${name}.hook_k`, withBias(1), shape)
  const v = g.hook(`${name}.hook_v`, valueBias === null ? withBias(2) : productOf(2), shape)
  const turn = (part: string, x: Value) =>
    layer.rotary === null ? x : g.hook(`${name}.hook_rot_${part}`, rotate(g, x, dHead, layer.rotary), shape)
  const [turnedQ, turnedK] = [turn('q', q), turn('k', k)]
  const size = { heads, keyValueHeads: heads, dHead }
  const z = attend(g, name, turnedQ, turnedK, v, size, layer.scores)
  return project(g, valueBias === null ? z : addValueBias(g, z, valueBias, size), layer.output, [heads * dHead])
}

/** x @ W [row, position, ...tail], and what is to be added to it [1, 1, ...tail]; null where that is nothing. */
function multiply(g: HookedGraph, norm: NormOutput, linear: Linear, tail: readonly number[]): { products: Value; biases: Value | null } {
  const { graph } = g
  const x = norm.scale(norm.output)
  const own = linear.bias === null ? null : graph.reshape(mapAsFloat32(graph, linear.bias), [1, 1, ...tail])
  if (norm.bias === null) return { products: projectWithoutBias(g, x, linear, tail), biases: own }
  // The norm's bias is one more row of the same product, so that the matrix is read once.
  const rows = graph.reshape(x, graph.concatenate([graph.integers([1, -1]), graph.shapeOf(x, 2, 3)], 0))
  const all = projectWithoutBias(g, graph.concatenate([rows, graph.unsqueeze(norm.bias, [0, 1])], 1), linear, tail)
  const shape = graph.concatenate([graph.shapeOf(x, 0, 2), graph.integers(tail)], 0)
  const moved = graph.slice(all, 1, -1)
  return { products: graph.reshape(graph.slice(all, 1, 0, -1), shape), biases: own === null ? moved : graph.add(moved, own) }
}

function addOptional({ graph }: HookedGraph, x: Value, bias: Value | null): Value {
  return bias === null ? x : graph.add(x, bias)
}
