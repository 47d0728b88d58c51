/**
 * A tensor as it lies in a file: name, type, shape and where its bytes are. Readers of the formats in this folder
 * return these; the weights themselves stay in their files and are mapped by ONNX Runtime.
 */

/** Element types, by safetensors' names. All are little-endian. */
export const byteWidths = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1
} as const
export type Dtype = keyof typeof byteWidths

export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(byteWidths, name)
}

/**
 * Bytes `[offset, offset + byteLength)` of `file`, which is an absolute path with links resolved. Elements run with the last
 * axis fastest, or, where `columnMajor` is true (NumPy's Fortran order), with the first axis fastest.
 */
export interface StoredTensor {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  readonly file: string
  readonly offset: number
  readonly byteLength: number
  readonly columnMajor?: boolean
}

/** A file of tensors as its header describes it. `sizeBytes` and `modifiedMs` tell later whether it was changed under us. */
export interface TensorFile {
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedMs: number
  readonly tensors: ReadonlyMap<string, StoredTensor>
  /** Free text that safetensors headers may carry under `__metadata__`. */
  readonly metadata: Readonly<Record<string, string>>
}

/** Most axes of a tensor: torch's and NumPy's own limit. */
export const maximumRank = 64

/** How many elements a shape has; NaN where the product is not a safe integer, a size is no natural number or there are too many axes. */
export function elementCount(shape: readonly number[]): number {
  if (shape.length > maximumRank) return Number.NaN
  let count = 1
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) return Number.NaN
    count *= size
  }
  return Number.isSafeInteger(count) ? count : Number.NaN
}
