/** Weights of a file as graph values: mapped in place, upcast where they are stored in fewer bits. */
import { SpliceError } from '../../contract/errors.ts'
import type { GraphBuilder, Placement, Value } from './graph.ts'
import type { ElementType } from './model-proto.ts'

/** Where a weight's bytes lie; `dtype` by safetensors' names. */
export interface Weight {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly file: string
  readonly offset: number
  readonly byteLength: number
  /** True where the first axis runs fastest. */
  readonly columnMajor?: boolean
}

const elementTypeOf = new Map<string, ElementType>([
  ['F32', 'float32'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['F64', 'float64']
])

/** A weight as a graph value in its own type. Throws `checkpoint/dtype` for types that no weights have. */
export function mapWeight(graph: GraphBuilder, weight: Weight): Value {
  const type = elementTypeOf.get(weight.dtype)
  if (type === undefined) {
    throw new SpliceError('checkpoint/dtype', `${weight.name} in ${weight.file} is stored as ${weight.dtype}, which weights cannot be`, {
      file: weight.file,
      field: weight.name,
      hint: 'Splice reads weights in F32, F16, BF16 and F64.'
    })
  }
  const { file, offset, byteLength } = weight
  if (weight.columnMajor !== true) return graph.external({ type, shape: weight.shape, file, offset, byteLength })
  const reversed = graph.external({ type, shape: [...weight.shape].reverse(), file, offset, byteLength })
  return graph.transpose(
    reversed,
    weight.shape.map((_, axis) => weight.shape.length - 1 - axis)
  )
}

/** A weight as a float32 graph value; 16-bit weights are upcast exactly. */
export function mapAsFloat32(graph: GraphBuilder, weight: Weight): Value {
  return graph.cast(mapWeight(graph, weight), 'float32')
}

/**
 * Some of a weight's places along an axis, in float32. The CPU picks them from the mapped file, so that no device holds an embedding for
 * the sake of a prompt's rows of it.
 */
export function pickFromWeight(graph: GraphBuilder, weight: Weight, places: Value, axis = 0): Value {
  return graph.onHost(() => graph.cast(graph.gather(mapWeight(graph, weight), places, axis), 'float32'))
}

/** Most values of a weight that is multiplied at once: 4 MB where it is upcast. */
const valuesAtOnce = 2 ** 20

/** Most rows of a float32 weight that one core takes at once: their products stay in its cache. */
const rowsOfPart = 1152

/** Most rows of a float32 weight at once, where two cores share them. */
export const rowsAtOnce = 2 * rowsOfPart

/** Into how many equal parts, an even number, so many rows come apart that a part is one core's work; null where they do not. */
function equalParts(rows: number): number | null {
  for (let parts = 2 * Math.ceil(rows / rowsAtOnce); 4 * rows >= parts * rowsOfPart; parts += 2) if (rows % parts === 0) return parts
  return null
}

type Products = Placement['products']

/** A product with a weight in float16, from float32 to float32: for a device that holds the weight in float16. */
function multiplyInFloat16(graph: GraphBuilder, x: Value, weight: Weight, multiply: (x: Value, weight: Value) => Value): Value {
  return graph.cast(multiply(graph.cast(x, 'float16'), graph.cast(mapWeight(graph, weight), 'float16')), 'float32')
}

/**
 * `x @ weight.T (+ bias)` of matrices, x [n, in], weight [out, in], bias [out]: Hugging Face's linear layers. It is computed as
 * `(weight @ x.T).T`: the runtime packs the right side of a product anew each time, and so packs the few rows of x instead of the
 * weight. Some rows of the weight go at a time; those of a 16-bit one are upcast, and never fill memory in float32.
 * A device holds the weight whole, and multiplies by it as it is.
 */
export function multiplyTransposed(graph: GraphBuilder, x: Value, weight: Weight, bias?: Value, products: Products = 'float32'): Value {
  if (products === 'float16') {
    const product = multiplyInFloat16(graph, x, weight, (narrow, matrix) => graph.linear(narrow, matrix))
    return bias === undefined ? product : graph.add(product, bias)
  }
  if (graph.placement.weights === 'device') return graph.linear(x, mapAsFloat32(graph, weight), bias)
  const product = graph.transpose(multiplyColumns(graph, weight, graph.transpose(x, [1, 0])), [1, 0])
  return bias === undefined ? product : graph.add(product, bias)
}

/** Whether a graph multiplies by mapped weights from the left, so that products leave it as columns. */
export function multipliesColumns({ placement: { weights, products } }: GraphBuilder): boolean {
  return weights === 'mapped' && products === 'float32'
}

/** `weight @ columns`, weight [out, in], columns [in, n], some rows of the weight at a time; for graphs that multiply columns. */
export function multiplyColumns(graph: GraphBuilder, weight: Weight, columns: Value): Value {
  const [out = 0, width = 0] = weight.shape
  const isWide = weight.dtype === 'F32'
  const parts = isWide && out > rowsAtOnce ? equalParts(out) : null
  if (parts !== null) {
    // One operator: the runtime gives its cores a part each, one after the other, and joins nothing. It would make one product of
    // a single right side.
    const matrices = mapAsFloat32(graph, { ...weight, shape: [parts / 2, 2, out / parts, width] })
    const products = graph.matmul(matrices, graph.expand(columns, graph.integers([2, 1, 1])))
    return graph.reshape(products, [out, -1])
  }
  const step = isWide ? rowsAtOnce : Math.max(16, Math.floor(valuesAtOnce / width))
  const products: Value[] = []
  for (let start = 0; start < out; start += step) {
    products.push(graph.linearInOut(mapAsFloat32(graph, rowsOf(weight, start, Math.min(out, start + step))), columns))
  }
  const [first] = products
  return first !== undefined && products.length === 1 ? first : graph.concatenate(products, 0)
}

/** `x @ weight (+ bias)` of matrices, x [n, in], weight [in, out], bias [out]: GPT-2's linear layers. */
export function multiplyInOut(graph: GraphBuilder, x: Value, weight: Weight, bias?: Value, products: Products = 'float32'): Value {
  if (products === 'float32') return graph.linearInOut(x, mapAsFloat32(graph, weight), bias)
  const product = multiplyInFloat16(graph, x, weight, (narrow, matrix) => graph.linearInOut(narrow, matrix))
  return bias === undefined ? product : graph.add(product, bias)
}

/** `x @ weight`, x [row, position, in], weight [in, out]; a column-major weight is read as it lies, without a transposed copy. */
export function multiplyByWeight(graph: GraphBuilder, x: Value, weight: Weight): Value {
  if (weight.columnMajor !== true) return graph.matmul(x, mapAsFloat32(graph, weight))
  const [width = 0, out = 0] = weight.shape
  const flat = multiplyTransposed(graph, graph.reshape(x, [-1, width]), { ...weight, shape: [out, width], columnMajor: false })
  return graph.reshape(flat, graph.concatenate([graph.shapeOf(x, 0, 2), graph.integers([out])], 0))
}

/** Rows `[start, end)` of a matrix, as a weight of its own. */
export function rowsOf(weight: Weight, start: number, end: number): Weight {
  const [rows = 0, ...rest] = weight.shape
  const rowBytes = weight.byteLength / rows
  return { ...weight, shape: [end - start, ...rest], offset: weight.offset + start * rowBytes, byteLength: (end - start) * rowBytes }
}
