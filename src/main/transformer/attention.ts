/** Causal grouped-query attention from rotated queries and keys to z, with TransformerLens's hook points on scores and pattern. */
import type { Value } from '../onnx/graph.ts'
import type { HookedGraph } from './hooked-graph.ts'
import { positions } from './positions.ts'

export interface AttentionShape {
  readonly heads: number
  readonly keyValueHeads: number
  readonly dHead: number
}

/** How scores become a pattern: they are divided by `scale`. `window`: a query sees its own position and the `window - 1` before it; null is everything before. */
export interface AttentionScores {
  readonly scale: number
  readonly softCap: number | null
  readonly window: number | null
}

/** True where a query may see a key: [query, key]. */
function visible(g: HookedGraph, window: number | null): Value {
  const { graph } = g
  const distance = g.once('attention.distance', () =>
    graph.subtract(graph.unsqueeze(positions(g), [1]), graph.unsqueeze(g.earlier?.keyPositions ?? positions(g), [0]))
  )
  const causal = g.once('attention.causal', () => graph.greater(distance, graph.scalar(-0.5)))
  if (window === null) return causal
  return g.once(`attention.window.${window}`, () => graph.and(causal, graph.less(distance, graph.scalar(window - 0.5))))
}

/** cap * tanh(x / cap). */
export function softCapped(g: HookedGraph, x: Value, cap: number): Value {
  const { graph } = g
  return graph.multiply(graph.tanh(graph.divide(x, graph.scalar(cap))), graph.scalar(cap))
}

/**
 * q [row, position, heads, dHead], k and v [row, position, keyValueHeads, dHead] -> `hook_z` [row, position, heads, dHead].
 * Scores are scaled, then soft-capped, then masked, as in Gemma-2; `hook_attn_scores` is what softmax sees. In a graph that continues
 * sequences the keys and values of earlier positions stand in front.
 */
export function attend(g: HookedGraph, name: string, q: Value, k: Value, v: Value, shape: AttentionShape, how: AttentionScores): Value {
  const { graph } = g
  const { heads, keyValueHeads, dHead } = shape
  const square = [heads, 'query', 'key'] as const
  const { keys, values } = g.earlier?.extend(name, k, v, [keyValueHeads, dHead]) ?? { keys: k, values: v }
  // Queries that share a key-value head are stacked along the position axis, so that keys are not repeated.
  const queries = graph.reshape(graph.transpose(q, [0, 2, 1, 3]), [0, keyValueHeads, -1, dHead])
  const products = graph.matmul(queries, graph.transpose(keys, [0, 2, 3, 1]))
  const scaled = graph.divide(graph.reshape(products, [0, heads, -1, 0]), graph.scalar(how.scale))
  const capped = how.softCap === null ? scaled : softCapped(g, scaled, how.softCap)
  const masked = graph.where(visible(g, how.window), capped, graph.scalar(Number.NEGATIVE_INFINITY))
  const scores = g.hook(`${name}.hook_attn_scores`, masked, square)
  const pattern = g.hook(`${name}.hook_pattern`, graph.softmax(scores), square)
  const mixed = graph.matmul(graph.reshape(pattern, [0, keyValueHeads, -1, 0]), graph.transpose(values, [0, 2, 1, 3]))
  const z = graph.transpose(graph.reshape(mixed, [0, heads, -1, dHead]), [0, 2, 1, 3])
  return g.hook(`${name}.hook_z`, z, ['position', heads, dHead])
}

/**
 * z + b_V, which fold_value_biases takes out of v and z: since a pattern's rows sum to one, it is the same at every position.
 * z [row, position, heads, dHead], bias with keyValueHeads * dHead features; heads that share a key-value head share its bias.
 */
export function addValueBias({ graph }: HookedGraph, z: Value, bias: Value, { heads, keyValueHeads, dHead }: AttentionShape): Value {
  const grouped = graph.reshape(z, [0, 0, keyValueHeads, heads / keyValueHeads, dHead])
  return graph.reshape(graph.add(grouped, graph.reshape(bias, [keyValueHeads, 1, dHead])), [0, 0, heads, dHead])
}
