/**
 * Grouped-query attention (Ainslie et al. 2023) with rotary positions, as Llama and its descendants have it: separate matrices
 * for queries, keys and values, heads that share keys and values, optionally an RMSNorm on every query and key.
 *
 * Under fold_value_biases v and z lack the value bias, and it comes back before the output projection.
 */
import type { Value } from '../onnx/graph.ts'
import { mapAsFloat32 } from '../onnx/weights.ts'
import { type AttentionScores, type AttentionShape, addValueBias, attend } from './attention.ts'
import type { Reading } from './family.ts'
import type { HookedGraph } from './hooked-graph.ts'
import { type Linear, project, projectWithoutBias } from './linear.ts'
import { headRmsNorm, type RmsNorm } from './rms-norm.ts'
import { type Rotary, rotate } from './rotary.ts'

export interface GroupedQueryAttention extends AttentionShape {
  readonly dModel: number
  readonly query: Linear
  readonly key: Linear
  readonly value: Linear
  readonly output: Linear
  readonly queryNorm: RmsNorm | null
  readonly keyNorm: RmsNorm | null
  readonly rotary: Rotary
  readonly scores: AttentionScores
}

/** x [row, position, dModel] -> the same, before any norm behind it and `hook_attn_out`. `name` is the attention's, `blocks.0.attn`. */
export function groupedQueryAttention(g: HookedGraph, name: string, x: Value, layer: GroupedQueryAttention, reading: Reading): Value {
  const { heads, keyValueHeads, dHead, rotary } = layer
  const queries = [heads, dHead]
  const keys = [keyValueHeads, dHead]
  const hook = (part: string, value: Value, tail: readonly number[]) => g.hook(`${name}.hook_${part}`, value, ['position', ...tail])
  const valueBias = reading.processing.has('fold_value_biases') ? layer.value.bias : null

  const q = hook('q', project(g, x, layer.query, queries), queries)
  const k = hook('k', project(g, x, layer.key, keys), keys)
  const v = hook('v', (valueBias === null ? project : projectWithoutBias)(g, x, layer.value, keys), keys)
  const evenQ = layer.queryNorm === null ? q : headRmsNorm(g, `${name}.q_norm`, q, heads, layer.queryNorm)
  const evenK = layer.keyNorm === null ? k : headRmsNorm(g, `${name}.k_norm`, k, keyValueHeads, layer.keyNorm)
  const turnedQ = hook('rot_q', rotate(g, evenQ, dHead, rotary), queries)
  const turnedK = hook('rot_k', rotate(g, evenK, dHead, rotary), keys)
  const z = attend(g, name, turnedQ, turnedK, v, layer, layer.scores)
  const whole = valueBias === null ? z : addValueBias(g, z, mapAsFloat32(g.graph, valueBias), layer)
  return project(g, whole, layer.output, [layer.dModel])
}
