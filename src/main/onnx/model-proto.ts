/**
 * ONNX's protobuf messages, as far as a graph over external weights needs them, and their encoding.
 * Field numbers are those of onnx.proto (ONNX IR version 10).
 */
import protobuf from 'protobufjs/minimal.js'

/** TensorProto.DataType. */
export const elementTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16
} as const
export type ElementType = keyof typeof elementTypes

/** AttributeProto's value, by its kind. */
export type Attribute = { int: number } | { float: number } | { string: string } | { ints: readonly number[] }

/** A tensor that is part of the graph: either its bytes, or where they lie in a file. */
export interface Initializer {
  readonly name: string
  readonly type: ElementType
  readonly shape: readonly number[]
  readonly data: Uint8Array | { readonly location: string; readonly offset: number; readonly length: number }
}

export interface Node {
  /** Empty unless the runtime is told something of it by this name. */
  readonly name: string
  readonly operator: string
  readonly domain: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

/** A graph input or output; a dimension is a number or a symbol. Outputs may leave their shape open. */
export interface Port {
  readonly name: string
  readonly type: ElementType
  readonly shape: readonly (number | string)[] | null
}

export interface Graph {
  readonly nodes: readonly Node[]
  readonly initializers: readonly Initializer[]
  readonly inputs: readonly Port[]
  readonly outputs: readonly Port[]
}

const varint = 0
const lengthDelimited = 2
const fixed32 = 5

function tag(field: number, wire: number): number {
  return (field << 3) | wire
}

function encodeAttribute(writer: protobuf.Writer, name: string, value: Attribute): void {
  writer.uint32(tag(1, lengthDelimited)).string(name)
  if ('float' in value) writer.uint32(tag(2, fixed32)).float(value.float).uint32(tag(20, varint)).int32(1)
  else if ('int' in value) writer.uint32(tag(3, varint)).int64(value.int).uint32(tag(20, varint)).int32(2)
  else if ('string' in value) writer.uint32(tag(4, lengthDelimited)).string(value.string).uint32(tag(20, varint)).int32(3)
  else {
    for (const item of value.ints) writer.uint32(tag(8, varint)).int64(item)
    writer.uint32(tag(20, varint)).int32(7)
  }
}

function encodeNode(writer: protobuf.Writer, node: Node): void {
  for (const input of node.inputs) writer.uint32(tag(1, lengthDelimited)).string(input)
  for (const output of node.outputs) writer.uint32(tag(2, lengthDelimited)).string(output)
  if (node.name !== '') writer.uint32(tag(3, lengthDelimited)).string(node.name)
  writer.uint32(tag(4, lengthDelimited)).string(node.operator)
  for (const [name, value] of Object.entries(node.attributes)) {
    writer.uint32(tag(5, lengthDelimited)).fork()
    encodeAttribute(writer, name, value)
    writer.ldelim()
  }
  if (node.domain !== '') writer.uint32(tag(7, lengthDelimited)).string(node.domain)
}

function encodeEntry(writer: protobuf.Writer, field: number, key: string, value: string): void {
  writer.uint32(tag(field, lengthDelimited)).fork()
  writer.uint32(tag(1, lengthDelimited)).string(key).uint32(tag(2, lengthDelimited)).string(value)
  writer.ldelim()
}

function encodeInitializer(writer: protobuf.Writer, tensor: Initializer): void {
  for (const dimension of tensor.shape) writer.uint32(tag(1, varint)).int64(dimension)
  writer.uint32(tag(2, varint)).int32(elementTypes[tensor.type])
  writer.uint32(tag(8, lengthDelimited)).string(tensor.name)
  if (tensor.data instanceof Uint8Array) {
    writer.uint32(tag(9, lengthDelimited)).bytes(tensor.data)
    return
  }
  encodeEntry(writer, 13, 'location', tensor.data.location)
  encodeEntry(writer, 13, 'offset', String(tensor.data.offset))
  encodeEntry(writer, 13, 'length', String(tensor.data.length))
  writer.uint32(tag(14, varint)).int32(1)
}

function encodePort(writer: protobuf.Writer, port: Port): void {
  writer.uint32(tag(1, lengthDelimited)).string(port.name)
  writer.uint32(tag(2, lengthDelimited)).fork() // type
  writer.uint32(tag(1, lengthDelimited)).fork() // tensor_type
  writer.uint32(tag(1, varint)).int32(elementTypes[port.type])
  if (port.shape !== null) {
    writer.uint32(tag(2, lengthDelimited)).fork() // shape
    for (const dimension of port.shape) {
      writer.uint32(tag(1, lengthDelimited)).fork()
      if (typeof dimension === 'number') writer.uint32(tag(1, varint)).int64(dimension)
      else writer.uint32(tag(2, lengthDelimited)).string(dimension)
      writer.ldelim()
    }
    writer.ldelim()
  }
  writer.ldelim().ldelim()
}

function encodeGraph(writer: protobuf.Writer, graph: Graph): void {
  for (const node of graph.nodes) {
    writer.uint32(tag(1, lengthDelimited)).fork()
    encodeNode(writer, node)
    writer.ldelim()
  }
  writer.uint32(tag(2, lengthDelimited)).string('run')
  for (const tensor of graph.initializers) {
    writer.uint32(tag(5, lengthDelimited)).fork()
    encodeInitializer(writer, tensor)
    writer.ldelim()
  }
  for (const [field, ports] of [
    [11, graph.inputs],
    [12, graph.outputs]
  ] as const) {
    for (const port of ports) {
      writer.uint32(tag(field, lengthDelimited)).fork()
      encodePort(writer, port)
      writer.ldelim()
    }
  }
}

/** A whole model as the bytes of an ONNX ModelProto (IR version 10, opset 21, and ONNX Runtime's own operators). */
export function encodeModel(graph: Graph): Uint8Array {
  const writer = protobuf.Writer.create()
  writer.uint32(tag(1, varint)).int64(10)
  writer.uint32(tag(2, lengthDelimited)).string('splice')
  writer.uint32(tag(7, lengthDelimited)).fork()
  encodeGraph(writer, graph)
  writer.ldelim()
  for (const [domain, version] of [
    ['', 21],
    ['com.microsoft', 1]
  ] as const) {
    writer.uint32(tag(8, lengthDelimited)).fork()
    writer.uint32(tag(1, lengthDelimited)).string(domain).uint32(tag(2, varint)).int64(version)
    writer.ldelim()
  }
  return writer.finish()
}
