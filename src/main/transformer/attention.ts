/** Causal grouped-query attention from rotated queries and keys to z, with TransformerLens's hook points on scores and pattern. */
import type { Value } from '../onnx/graph.ts'
import type { HookedGraph } from './hooked-graph.ts'
import { positions, sequencePositions } from './positions.ts'

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
  const distance = g.once('attention.distance', () => {
    const places = g.holdsSequences ? sequencePositions(g) : positions(g)
    return graph.subtract(graph.unsqueeze(places, [1]), graph.unsqueeze(g.earlier?.keyPositions ?? places, [0]))
  })
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
 * Where the position axis holds several sequences, each attends to itself alone: the axes of attention with one for the sequence
 * behind the row. `split` and `join` put it in and take it out; `order` and `sizes` are those of a single prompt's axes.
 */
function sequenceAxis(g: HookedGraph) {
  const { graph } = g
  if (!g.holdsSequences) {
    const same = (x: Value, _heads: number, _dHead: number) => x
    const asTheyAre = (list: readonly number[]) => list
    return { split: same, join: same, order: asTheyAre, sizes: asTheyAre }
  }
  const length = g.once('attention.length', () => graph.shapeOf(sequencePositions(g), 0, 1))
  return {
    split: (x: Value, heads: number, dHead: number) =>
      graph.reshape(x, graph.concatenate([graph.integers([0, -1]), length, graph.integers([heads, dHead])], 0)),
    join: (x: Value, heads: number, dHead: number) => graph.reshape(x, [0, -1, heads, dHead]),
    order: (axes: readonly number[]) => [0, ...axes.map(axis => axis + 1)],
    sizes: (shape: readonly number[]) => [0, ...shape]
  }
}

/**
 * q [row, position, heads, dHead], k and v [row, position, keyValueHeads, dHead] -> `hook_z` [row, position, heads, dHead].
 * Scores are scaled, then soft-capped, then masked, as in Gemma-2; `hook_attn_scores` is what softmax sees. In a graph that continues
 * sequences the keys and values of earlier positions stand in front.
 */
export function attend(g: HookedGraph, name: string, q: Value, k: Value, v: Value, shape: AttentionShape, how: AttentionScores): Value {
  const { graph } = g
  const { heads, keyValueHeads, dHead } = shape
  const { split, join, order, sizes } = sequenceAxis(g)
  const square = [heads, 'query', 'key'] as const
  const { keys, values } = g.earlier?.extend(name, k, v, [keyValueHeads, dHead]) ?? { keys: k, values: v }
  const byHead = (x: Value, count: number, axes: readonly number[]) => graph.transpose(split(x, count, dHead), order(axes))
  // Queries that share a key-value head are stacked along the position axis, so that keys are not repeated.
  const queries = graph.reshape(byHead(q, heads, [0, 2, 1, 3]), sizes([0, keyValueHeads, -1, dHead]))
  const products = graph.matmul(queries, byHead(keys, keyValueHeads, [0, 2, 3, 1]))
  const scaled = graph.divide(graph.reshape(products, sizes([0, heads, -1, 0])), graph.scalar(how.scale))
  const capped = how.softCap === null ? scaled : softCapped(g, scaled, how.softCap)
  const masked = graph.where(visible(g, how.window), capped, graph.scalar(Number.NEGATIVE_INFINITY))
  const scores = g.hook(`${name}.hook_attn_scores`, masked, square)
  const pattern = g.hook(`${name}.hook_pattern`, graph.softmax(scores), square)
  const mixed = graph.matmul(graph.reshape(pattern, sizes([0, keyValueHeads, -1, 0])), byHead(values, keyValueHeads, [0, 2, 1, 3]))
  const z = join(graph.transpose(graph.reshape(mixed, sizes([0, heads, -1, dHead])), order([0, 2, 1, 3])), heads, dHead)
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
