/** RMSNorm with TransformerLens's two hook points: scale = sqrt(mean(x^2) + eps), normalized = x / scale, before the gain. */
import type { Value } from '../onnx/graph.ts'
import type { HookedGraph } from './hooked-graph.ts'

/** x [row, position, dModel] -> `hook_normalized` of `name`; the gain is the caller's, since processed readings fold it. */
export function rmsNormalize(g: HookedGraph, name: string, x: Value, dModel: number, epsilon: number): Value {
  const { graph } = g
  const meanSquare = graph.mean(graph.multiply(x, x), [-1], true)
  const scale = g.hook(`${name}.hook_scale`, graph.squareRoot(graph.add(meanSquare, graph.scalar(epsilon))), ['position', 1])
  return g.hook(`${name}.hook_normalized`, graph.divide(x, scale), ['position', dModel])
}
