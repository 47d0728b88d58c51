/** Linear layers as they lie in checkpoints, applied to activations with leading axes [row, position]. */
import type { StoredTensor } from '../checkpoint/tensor.ts'
import type { GraphBuilder, Value } from '../onnx/graph.ts'
import { mapAsFloat32, multipliesColumns, multiplyColumns, multiplyInOut, multiplyTransposed } from '../onnx/weights.ts'
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

/** Activations [row, position, ...] as a product left them: [features, n], and [row, position] as an int64 vector. */
interface Columns {
  readonly matrix: Value
  readonly leading: Value
}

/** Products that no hook point has changed, and what was made of them element by element. */
const columnsOf = new WeakMap<Value, Columns>()

/**
 * `make` of activations that have one shape, element by element. Where they are products as they left their weights, it is made of
 * those as well, and the next layer reads it without turning it back.
 */
export function elementwise(one: Value, other: Value, make: (one: Value, other: Value) => Value): Value {
  const [first, second] = [columnsOf.get(one), columnsOf.get(other)]
  const made = make(one, other)
  if (first !== undefined && second !== undefined) columnsOf.set(made, { ...first, matrix: make(first.matrix, second.matrix) })
  return made
}

function leadingOf(graph: GraphBuilder, x: Value): Value {
  return columnsOf.get(x)?.leading ?? graph.shapeOf(x, 0, 2)
}

function apply({ graph }: HookedGraph, x: Value, { weight, stored }: Linear, tail: readonly number[], bias: StoredTensor | null): Value {
  const [rows = 0, columns = 0] = weight.shape
  const leading = leadingOf(graph, x)
  const shape = graph.concatenate([leading, graph.integers(tail)], 0)
  const flat = graph.reshape(x, [-1, stored === 'out-in' ? columns : rows])
  if (stored === 'out-in' && bias === null && multipliesColumns(graph)) {
    const matrix = multiplyColumns(graph, weight, columnsOf.get(x)?.matrix ?? graph.transpose(flat, [1, 0]))
    const product = graph.reshape(graph.transpose(matrix, [1, 0]), shape)
    columnsOf.set(product, { matrix, leading })
    return product
  }
  const added = bias === null ? undefined : mapAsFloat32(graph, bias)
  const multiply = stored === 'out-in' ? multiplyTransposed : multiplyInOut
  return graph.reshape(multiply(graph, flat, weight, added, graph.placement.products), shape)
}
