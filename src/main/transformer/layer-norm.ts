/**
 * LayerNorm (Ba et al. 2016) with TransformerLens's two hook points: scale = sqrt(variance + eps) and, in 2.x,
 * normalized = the whole module's output, which under fold_ln is (x - mean) / scale alone.
 */
import type { StoredTensor } from '../checkpoint/tensor.ts'
import type { Value } from '../onnx/graph.ts'
import { mapAsFloat32 } from '../onnx/weights.ts'
import type { HookedGraph } from './hooked-graph.ts'
import type { NormOutput } from './norm.ts'

export interface LayerNorm {
  /** [dModel]. */
  readonly gain: StoredTensor
  readonly bias: StoredTensor
  readonly epsilon: number
  /** Whether fold_ln moves gain and bias behind `hook_normalized`. */
  readonly isFolded: boolean
}

/** x minus its mean over the last axis. */
export function centre({ graph }: HookedGraph, x: Value): Value {
  return graph.subtract(x, graph.mean(x, [-1], true))
}

/** x [row, position, dModel] -> the norm's output at `<name>.hook_normalized`. */
export function layerNorm(g: HookedGraph, name: string, x: Value, norm: LayerNorm): NormOutput {
  const { graph } = g
  const shape = ['position', norm.gain.shape[0] ?? 0] as const
  const centred = centre(g, x)
  const variance = graph.mean(graph.multiply(centred, centred), [-1], true)
  const scale = g.hook(`${name}.hook_scale`, graph.squareRoot(graph.add(variance, graph.scalar(norm.epsilon))), ['position', 1])
  const normalized = graph.divide(centred, scale)
  const gain = mapAsFloat32(graph, norm.gain)
  const bias = mapAsFloat32(graph, norm.bias)
  if (norm.isFolded) {
    // fold_ln also centres the weights that read: whatever mean a splice put in here does not reach them.
    const output = g.hook(`${name}.hook_normalized`, normalized, shape)
    return { output, scale: value => graph.multiply(centre(g, value), gain), bias }
  }
  const output = g.hook(`${name}.hook_normalized`, graph.add(graph.multiply(normalized, gain), bias), shape)
  return { output, scale: value => value, bias: null }
}
