/** A stored tensor's values in memory, upcast to float32: for small tensors, tests and what must be looked at before a run. */
import { SpliceError } from '../../contract/errors.ts'
import { withFile } from './open-file.ts'
import { elementCount, type StoredTensor } from './tensor.ts'

/** The float32 value of an IEEE half. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** Float32 values of little-endian bytes; null for types that hold no floats. */
export function decodeFloats(bytes: Buffer, dtype: string, count: number): Float32Array | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (dtype) {
    case 'F32':
      return Float32Array.from({ length: count }, (_, i) => view.getFloat32(i * 4, true))
    case 'F64':
      return Float32Array.from({ length: count }, (_, i) => view.getFloat64(i * 8, true))
    case 'F16':
      return Float32Array.from({ length: count }, (_, i) => halfToFloat(view.getUint16(i * 2, true)))
    case 'BF16': {
      const bits = Uint32Array.from({ length: count }, (_, i) => view.getUint16(i * 2, true) << 16)
      return new Float32Array(bits.buffer)
    }
    default:
      return null
  }
}

/** The values in row-major order. Throws `file/truncated` where the bytes are no longer there, `checkpoint/dtype` for integers. */
export async function readTensor(tensor: StoredTensor): Promise<Float32Array> {
  const bytes = await withFile(tensor.file, open => open.read(tensor.offset, tensor.byteLength))
  if (bytes === null) {
    throw new SpliceError('file/truncated', `${tensor.file} ends before the values of ${tensor.name}`, {
      file: tensor.file,
      field: tensor.name,
      hint: 'The file changed since it was opened; download it again.'
    })
  }
  const count = elementCount(tensor.shape)
  const values = decodeFloats(bytes, tensor.dtype, count)
  if (values === null) {
    throw new SpliceError('checkpoint/dtype', `${tensor.name} in ${tensor.file} is stored as ${tensor.dtype}, which weights cannot be`, {
      file: tensor.file,
      field: tensor.name
    })
  }
  return tensor.columnMajor === true ? toRowMajor(values, tensor.shape) : values
}

/** Reorders values stored with the first axis fastest. */
export function toRowMajor(values: Float32Array, shape: readonly number[]): Float32Array {
  const strides: number[] = []
  let stride = 1
  for (const size of shape) {
    strides.push(stride)
    stride *= size
  }
  const out = new Float32Array(values.length)
  const index = shape.map(() => 0)
  for (let place = 0; place < out.length; place++) {
    out[place] = values[index.reduce((at, i, axis) => at + i * (strides[axis] ?? 0), 0)] ?? 0
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1
      index[axis] = next === shape[axis] ? 0 : next
      if (next !== shape[axis]) break
    }
  }
  return out
}
