/** Tensors that came out of a session, seen row by row: one row per variant, or one row that all variants share. */
import type { Tensor } from 'onnxruntime-node'

/** Float32 values [row, ...shape], with one row for all variants where they have not parted yet. */
export class RowTensor {
  readonly data: Float32Array
  readonly rows: number
  readonly shape: readonly number[]

  constructor(data: Float32Array, dims: readonly number[]) {
    this.data = data
    this.rows = dims[0] ?? 1
    this.shape = dims.slice(1)
  }

  static of(tensor: Tensor): RowTensor {
    if (tensor.data instanceof Float32Array) return new RowTensor(tensor.data, tensor.dims)
    if (tensor.data instanceof BigInt64Array) return new RowTensor(Float32Array.from(tensor.data, Number), tensor.dims)
    throw new Error(`a ${tensor.type} tensor came out where floats were expected`)
  }

  /** The values of one variant, without a copy. */
  row(variant: number): Float32Array {
    const size = this.data.length / this.rows
    const row = this.rows === 1 ? 0 : variant
    return this.data.subarray(row * size, (row + 1) * size)
  }
}
