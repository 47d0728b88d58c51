/** Linear layers as they lie in checkpoints, applied to activations with leading axes [row, position]. */
import type { StoredTensor } from '../checkpoint/tensor.ts'
import type { Value } from '../onnx/graph.ts'
import { mapAsFloat32, multiplyInOut, multiplyTransposed } from '../onnx/weights.ts'
import type { HookedGraph } from './hooked-graph.ts'

/** A layer with its weight as stored: PyTorch's Linear is [out, in], GPT-2's Conv1D [in, out]. */
export interface Linear {
  readonly weight: StoredTensor
  readonly bias: StoredTensor | null
  readonly stored: 'out-in' | 'in-out'
}

/**
 * `x @ W + bias`, with the output split into `tail`, e.g. [heads, dHead].
 * x [row, position, ...] with as many features in all as the layer reads -> [row, position, ...tail].
 */
export function project(g: HookedGraph, x: Value, linear: Linear, tail: readonly number[]): Value {
  return apply(g, x, linear, tail, linear.bias)
}

/** The same without the bias, for readings that keep it elsewhere. */
export function projectWithoutBias(g: HookedGraph, x: Value, linear: Linear, tail: readonly number[]): Value {
  return apply(g, x, linear, tail, null)
}

function apply({ graph }: HookedGraph, x: Value, { weight, stored }: Linear, tail: readonly number[], bias: StoredTensor | null): Value {
  const [rows = 0, columns = 0] = weight.shape
  const flat = graph.reshape(x, [-1, stored === 'out-in' ? columns : rows])
  const added = bias === null ? undefined : mapAsFloat32(graph, bias)
  const multiply = stored === 'out-in' ? multiplyTransposed : multiplyInOut
  const out = multiply(graph, flat, weight, added, graph.placement.products)
  return graph.reshape(out, graph.concatenate([graph.shapeOf(x, 0, 2), graph.integers(tail)], 0))
}
