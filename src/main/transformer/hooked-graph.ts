/**
 * What a family writes its forward pass against: an ONNX graph with hook points. `hook` stands inline where
 * TransformerLens has the hook point; what it returns is what flows on, so capturing and splicing happen there.
 */
import { SpliceError } from '../../contract/errors.ts'
import type { Dtype, StoredTensor } from '../checkpoint/tensor.ts'
import type { GraphBuilder, Value } from '../onnx/graph.ts'
import type { ElementType } from '../onnx/model-proto.ts'

/** A hook point's shape after the batch dimension: sizes, or the axes that follow the prompt. */
export type HookShape = readonly (number | 'position' | 'query' | 'key')[]

export interface HookedGraph {
  readonly graph: GraphBuilder
  /** Names the value as TransformerLens does; gives what flows on from here. */
  hook(name: string, value: Value, shape: HookShape): Value
  /** A value that several blocks of one graph share, made when it is first asked for. */
  once(name: string, make: () => Value): Value
}

const elementTypeOf: Partial<Record<Dtype, ElementType>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16', F64: 'float64' }

/** A stored tensor as a graph value, mapped in place, in its own type. Throws `checkpoint/dtype` for types that no weights have. */
export function mapTensor(graph: GraphBuilder, tensor: StoredTensor): Value {
  const type = elementTypeOf[tensor.dtype]
  if (type === undefined) {
    throw new SpliceError('checkpoint/dtype', `${tensor.name} in ${tensor.file} is stored as ${tensor.dtype}, which weights cannot be`, {
      file: tensor.file,
      field: tensor.name,
      hint: 'Splice reads weights in F32, F16, BF16 and F64.'
    })
  }
  return graph.external({ type, shape: tensor.shape, file: tensor.file, offset: tensor.offset, byteLength: tensor.byteLength })
}

/** A stored tensor as a float32 graph value; 16-bit weights are upcast exactly. */
export function mapAsFloat32(graph: GraphBuilder, tensor: StoredTensor): Value {
  return graph.cast(mapTensor(graph, tensor), 'float32')
}

/** Rows `[start, end)` of a matrix, as a stored tensor of its own. */
export function rowsOf(tensor: StoredTensor, start: number, end: number): StoredTensor {
  const [rows = 0, ...rest] = tensor.shape
  const rowBytes = tensor.byteLength / rows
  return { ...tensor, shape: [end - start, ...rest], offset: tensor.offset + start * rowBytes, byteLength: (end - start) * rowBytes }
}
