/**
 * A small typed builder of ONNX graphs. Each method adds one operator and returns its output, so that a forward pass
 * reads like the formulas it computes. It knows ONNX and nothing of transformers.
 */
import { type CutGraph, cutGraph } from './cut.ts'
import { deviceBytesOf, hostNodes } from './device-memory.ts'
import {
  type Attribute,
  type ElementType,
  elementTypes,
  encodeModel,
  type Graph,
  type Initializer,
  type Node,
  type Port
} from './model-proto.ts'

/** A tensor that some operator, input or initializer of the graph gives. */
export interface Value {
  readonly name: string
  readonly type: ElementType
}

/** Bytes of a file as a tensor: row-major, little-endian, `[offset, offset + byteLength)`. */
export interface ExternalTensor {
  readonly type: ElementType
  readonly shape: readonly number[]
  readonly file: string
  readonly offset: number
  readonly byteLength: number
}

/**
 * Where a graph's weights lie while it runs, and in what type it multiplies by matrices of them. `mapped` weights are read from their files
 * by the CPU and cast where they are used; `device` weights are copied once into a device's memory, in the type that computes.
 */
export interface Placement {
  readonly weights: 'mapped' | 'device'
  readonly products: 'float32' | 'float16'
}

export const onCpu: Placement = { weights: 'mapped', products: 'float32' }

/** A path as ONNX Runtime wants it when the root of the file system (on Windows: the drive) is its folder of external data. */
function locationBelowRoot(file: string): string {
  return file.replace(/^[A-Za-z]:/, '').replace(/^[\\/]+/, '')
}

export class GraphBuilder {
  readonly #nodes: Node[] = []
  readonly #initializers = new Map<string, Initializer>()
  readonly #inputs = new Map<string, Port>()
  readonly #outputs = new Map<string, Port>()
  readonly #types = new Map<string, ElementType>()
  /** Float32 values and the outputs that they become, until they are brought from the device. */
  #together: { readonly value: Value; readonly width: number | null; readonly output: Value }[] = []
  #count = 0
  #isOnHost = false
  readonly placement: Placement

  constructor(placement: Placement = onCpu) {
    this.placement = placement
  }

  /** What `make` adds is run by the CPU, also where a device runs the rest. */
  onHost<Made>(make: () => Made): Made {
    const was = this.#isOnHost
    this.#isOnHost = true
    try {
      return make()
    } finally {
      this.#isOnHost = was
    }
  }

  #fresh(type: ElementType): Value {
    this.#count += 1
    const name = `v${this.#count}`
    this.#types.set(name, type)
    return { name, type }
  }

  /** Adds any operator and returns its outputs, one per entry of `types`. */
  operator(
    name: string,
    inputs: readonly Value[],
    types: readonly ElementType[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = ''
  ): Value[] {
    const outputs = types.map(type => this.#fresh(type))
    this.#node(name, inputs, outputs, attributes, domain)
    return outputs
  }

  #node(
    name: string,
    inputs: readonly Value[],
    outputs: readonly Value[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = ''
  ): void {
    this.#nodes.push({
      name: this.#isOnHost ? `${hostNodes}${this.#nodes.length}` : '',
      operator: name,
      domain,
      inputs: inputs.map(input => input.name),
      outputs: outputs.map(output => output.name),
      attributes
    })
  }

  #one(name: string, inputs: readonly Value[], type: ElementType, attributes: Readonly<Record<string, Attribute>> = {}): Value {
    const [output] = this.operator(name, inputs, [type], attributes)
    if (output === undefined) throw new Error(`${name} gives no output`)
    return output
  }

  /** A graph input; asking twice for one name gives the same value. */
  input(name: string, type: ElementType, shape: readonly (number | string)[]): Value {
    if (!this.#inputs.has(name)) this.#inputs.set(name, { name, type, shape })
    return { name, type }
  }

  /**
   * Makes a value a graph output and returns the name to fetch it by. A graph input is passed on as a copy.
   * The shape is left open: the runtime reuses buffers by equal symbols, and rows may be one here and many further down.
   */
  output(value: Value): string {
    const source = this.#inputs.has(value.name) ? this.#one('Identity', [value], value.type) : value
    this.#outputs.set(source.name, { name: source.name, type: source.type, shape: null })
    return source.name
  }

  /**
   * The same for a small float32 value [row, position], or [row, position, width], of which a stage has many: on a device they come back in
   * one copy, since each copy is waited for. The output is there once `bringTogether` was called.
   */
  outputTogether(value: Value, width: number | null = null): string {
    if (this.placement.weights !== 'device') return this.output(value)
    const output = this.#fresh(value.type)
    this.#together.push({ value, width, output })
    return output.name
  }

  /** Brings what `outputTogether` was given from the device: joined there, and taken apart by the CPU. */
  bringTogether(): void {
    const together = this.#together
    this.#together = []
    if (together.length === 0) return
    const joined = this.concatenate(
      together.map(({ value, width }) => (width === null ? this.unsqueeze(value, [2]) : value)),
      2
    )
    this.onHost(() => {
      const sizes = this.integers(together.map(({ width }) => width ?? 1))
      const types = together.map(({ value }) => value.type)
      const parts = this.operator('Split', [joined, sizes], types, { axis: { int: 2 } })
      for (const [place, { width, output }] of together.entries()) {
        const part = parts[place]
        if (part === undefined) throw new Error('Split gives an output for each size')
        this.#node('Reshape', [part, this.integers(width === null ? [0, 0] : [0, 0, width])], [output])
        this.output(output)
      }
    })
  }

  /** A tensor whose bytes stay in their file and are mapped by the runtime; the same bytes give the same value. */
  external(tensor: ExternalTensor): Value {
    const name = `${tensor.file}@${tensor.offset}:${tensor.type}[${tensor.shape.join()}]`
    if (!this.#initializers.has(name)) {
      const data = { location: locationBelowRoot(tensor.file), offset: tensor.offset, length: tensor.byteLength }
      this.#initializers.set(name, { name, type: tensor.type, shape: tensor.shape, data })
    }
    return { name, type: tensor.type }
  }

  #constant(type: ElementType, key: string, shape: readonly number[], data: Uint8Array): Value {
    const name = `${type}:${key}:[${shape.join()}]`
    if (!this.#initializers.has(name)) this.#initializers.set(name, { name, type, shape, data })
    return { name, type }
  }

  /** A float32 scalar. */
  scalar(value: number): Value {
    return this.#constant('float32', String(value), [], new Uint8Array(Float32Array.of(value).buffer))
  }

  /** An int64 vector. */
  integers(values: readonly number[]): Value {
    const data = BigInt64Array.from(values, value => BigInt(value))
    return this.#constant('int64', values.join(), [values.length], new Uint8Array(data.buffer))
  }

  /** An int64 scalar. */
  #integer(value: number): Value {
    return this.#constant('int64', `scalar ${value}`, [], new Uint8Array(BigInt64Array.of(BigInt(value)).buffer))
  }

  /** The integers from start up to, not including, end. */
  range(start: number, end: number): Value {
    return this.#one('Range', [this.#integer(start), this.#integer(end), this.#integer(1)], 'int64')
  }

  add(a: Value, b: Value): Value {
    return this.#one('Add', [a, b], a.type)
  }
  subtract(a: Value, b: Value): Value {
    return this.#one('Sub', [a, b], a.type)
  }
  multiply(a: Value, b: Value): Value {
    return this.#one('Mul', [a, b], a.type)
  }
  divide(a: Value, b: Value): Value {
    return this.#one('Div', [a, b], a.type)
  }
  negate(a: Value): Value {
    return this.#one('Neg', [a], a.type)
  }
  squareRoot(a: Value): Value {
    return this.#one('Sqrt', [a], a.type)
  }
  exponential(a: Value): Value {
    return this.#one('Exp', [a], a.type)
  }
  tanh(a: Value): Value {
    return this.#one('Tanh', [a], a.type)
  }
  relu(a: Value): Value {
    return this.#one('Relu', [a], a.type)
  }
  sigmoid(a: Value): Value {
    return this.#one('Sigmoid', [a], a.type)
  }
  /** x * Phi(x), with the error function or with its approximation by tanh. */
  gelu(a: Value, approximate: 'none' | 'tanh'): Value {
    return this.#one('Gelu', [a], a.type, { approximate: { string: approximate } })
  }
  greater(a: Value, b: Value): Value {
    return this.#one('Greater', [a, b], 'bool')
  }
  less(a: Value, b: Value): Value {
    return this.#one('Less', [a, b], 'bool')
  }
  equal(a: Value, b: Value): Value {
    return this.#one('Equal', [a, b], 'bool')
  }
  and(a: Value, b: Value): Value {
    return this.#one('And', [a, b], 'bool')
  }
  not(a: Value): Value {
    return this.#one('Not', [a], 'bool')
  }
  isNaN(a: Value): Value {
    return this.#one('IsNaN', [a], 'bool')
  }
  where(condition: Value, a: Value, b: Value): Value {
    return this.#one('Where', [condition, a, b], a.type)
  }
  cast(a: Value, type: ElementType): Value {
    return a.type === type ? a : this.#one('Cast', [a], type, { to: { int: elementTypes[type] } })
  }
  softmax(a: Value): Value {
    return this.#one('Softmax', [a], a.type, { axis: { int: -1 } })
  }
  /** Matrix product over the last two axes, broadcasting the others. */
  matmul(a: Value, b: Value): Value {
    return this.#one('MatMul', [a, b], a.type)
  }
  /** `a @ b.T (+ bias)` of two matrices: Hugging Face stores linear layers as [out, in]. */
  linear(a: Value, b: Value, bias?: Value): Value {
    return this.#one('Gemm', bias === undefined ? [a, b] : [a, b, bias], a.type, { transB: { int: 1 } })
  }
  /** `a @ b (+ bias)` of two matrices: GPT-2 stores linear layers as [in, out]. */
  linearInOut(a: Value, b: Value, bias?: Value): Value {
    return this.#one('Gemm', bias === undefined ? [a, b] : [a, b, bias], a.type)
  }
  gather(data: Value, indices: Value, axis = 0): Value {
    return this.#one('Gather', [data, indices], data.type, { axis: { int: axis } })
  }
  /** Elements of `data` at `indices` along an axis, both of the same shape but there. */
  gatherElements(data: Value, indices: Value, axis: number): Value {
    return this.#one('GatherElements', [data, indices], data.type, { axis: { int: axis } })
  }
  /** `data` with `updates` at `indices` along an axis. */
  scatterElements(data: Value, indices: Value, updates: Value, axis: number): Value {
    return this.#one('ScatterElements', [data, indices, updates], data.type, { axis: { int: axis } })
  }
  /** `data` with `updates` added at `indices` along an axis, also where an index occurs twice. */
  scatterAdd(data: Value, indices: Value, updates: Value, axis: number): Value {
    return this.#one('ScatterElements', [data, indices, updates], data.type, { axis: { int: axis }, reduction: { string: 'add' } })
  }
  /** A value repeated along axes of one place, to a shape (an int64 vector). */
  expand(a: Value, shape: Value): Value {
    return this.#one('Expand', [a, shape], a.type)
  }
  /** Where a bool vector is true, as an int64 vector, in ascending order. */
  placesOf(a: Value): Value {
    return this.reshape(this.#one('NonZero', [a], 'int64'), [-1])
  }
  /** Float32 zeros in the shape of a value. */
  zerosLike(a: Value): Value {
    return this.#one('ConstantOfShape', [this.#one('Shape', [a], 'int64')], 'float32')
  }
  concatenate(values: readonly Value[], axis: number): Value {
    const type = values[0]?.type ?? 'float32'
    return this.#one('Concat', values, type, { axis: { int: axis } })
  }
  /** The first `size` places of the last axis, and the `rest` behind them. */
  splitLast(a: Value, size: number, rest: number): [Value, Value] {
    const [first, second] = this.operator('Split', [a, this.integers([size, rest])], [a.type, a.type], { axis: { int: -1 } })
    if (first === undefined || second === undefined) throw new Error('Split gives two outputs')
    return [first, second]
  }
  /** The places `[start, end)` of an axis, counted from its end where negative; without `end`, all from `start` on. */
  slice(a: Value, axis: number, start: number, end = Number.MAX_SAFE_INTEGER): Value {
    return this.#one('Slice', [a, this.integers([start]), this.integers([end]), this.integers([axis])], a.type)
  }
  /** The slice at one place of an axis; the axis is gone. */
  take(a: Value, place: number, axis: number): Value {
    return this.gather(a, this.#integer(place), axis)
  }
  transpose(a: Value, order: readonly number[]): Value {
    return this.#one('Transpose', [a], a.type, { perm: { ints: order } })
  }
  /** A new shape: 0 keeps the input's dimension at that place, -1 is what remains. */
  reshape(a: Value, shape: Value | readonly number[]): Value {
    return this.#one('Reshape', [a, 'name' in shape ? shape : this.integers(shape)], a.type)
  }
  /** The dimensions `[start, end)` of a value's shape, as an int64 vector. */
  shapeOf(a: Value, start: number, end: number): Value {
    return this.#one('Shape', [a], 'int64', { start: { int: start }, end: { int: end } })
  }
  unsqueeze(a: Value, axes: readonly number[]): Value {
    return this.#one('Unsqueeze', [a, this.integers(axes)], a.type)
  }
  #reduce(name: string, a: Value, axes: readonly number[], keep: boolean): Value {
    return this.#one(name, [a, this.integers(axes)], a.type, { keepdims: { int: keep ? 1 : 0 } })
  }
  sum(a: Value, axes: readonly number[], keep = false): Value {
    return this.#reduce('ReduceSum', a, axes, keep)
  }
  mean(a: Value, axes: readonly number[], keep = false): Value {
    return this.#reduce('ReduceMean', a, axes, keep)
  }
  /** Euclidean norm. */
  norm(a: Value, axes: readonly number[], keep = false): Value {
    return this.#reduce('ReduceL2', a, axes, keep)
  }
  maximum(a: Value, axes: readonly number[], keep = false): Value {
    return this.#reduce('ReduceMax', a, axes, keep)
  }
  /** The `k` largest along the last axis and where they are, in descending order. `k` must not exceed the axis. */
  topK(a: Value, k: number): { values: Value; indices: Value } {
    const [values, indices] = this.operator('TopK', [a, this.integers([k])], [a.type, 'int64'], { axis: { int: -1 } })
    if (values === undefined || indices === undefined) throw new Error('TopK gives two outputs')
    return { values, indices }
  }

  get inputNames(): string[] {
    return [...this.#inputs.keys()]
  }
  get outputNames(): string[] {
    return [...this.#outputs.keys()]
  }

  get #graph(): Graph {
    return {
      nodes: this.#neededNodes(),
      initializers: [...this.#initializers.values()],
      inputs: [...this.#inputs.values()],
      outputs: [...this.#outputs.values()]
    }
  }

  /** The nodes without those that no output comes of; the runtime would run them nevertheless. */
  #neededNodes(): Node[] {
    const needed = new Set(this.#outputs.keys())
    const nodes = this.#nodes.toReversed().filter(({ inputs, outputs }) => {
      if (!outputs.some(name => needed.has(name))) return false
      for (const name of inputs) needed.add(name)
      return true
    })
    return nodes.reverse()
  }

  /** The bytes of the ONNX model. */
  encode(): Uint8Array {
    return encodeModel(this.#graph)
  }

  /** What its weights would take of a device's memory. */
  get deviceBytes(): number {
    return deviceBytesOf(this.#graph)
  }

  /** The graph in two: what depends on none of the inputs named, and the rest. */
  cut(late: ReadonlySet<string>): CutGraph {
    return cutGraph(this.#graph, late, name => {
      const type = this.#types.get(name)
      if (type === undefined) throw new Error(`the graph has no value ${name}`)
      return type
    })
  }
}
