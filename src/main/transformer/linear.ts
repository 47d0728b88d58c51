/** Linear layers of Hugging Face checkpoints: weights [out, in], applied to activations with leading axes [row, position]. */
import type { Value } from '../onnx/graph.ts'
import type { HookedGraph } from './hooked-graph.ts'

/**
 * `x @ weight.T (+ bias)`, with the output split into `tail`, e.g. [heads, dHead].
 * x [row, position, ...] with `width` features in all -> [row, position, ...tail].
 */
export function project({ graph }: HookedGraph, x: Value, width: number, weight: Value, tail: readonly number[], bias?: Value): Value {
  const flat = graph.linear(graph.reshape(x, [-1, width]), weight, bias)
  return graph.reshape(flat, graph.concatenate([graph.shapeOf(x, 0, 2), graph.integers(tail)], 0))
}
