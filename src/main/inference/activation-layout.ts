/** How an activation lies before the eye: its axes by name, and as planes of rows and columns. */
import type { Axis } from '../../contract/hooks.ts'
import type { HookShape } from '../transformer/hooked-graph.ts'

/** Element (plane, row, column) is at `plane * planeStride + row * rowStride + column`. `square`: queries by keys. */
export interface Layout {
  readonly planes: number
  readonly rows: number
  readonly columns: number
  readonly planeStride: number
  readonly rowStride: number
  readonly square: boolean
  /** Rows of one position: several where heads are flattened into the rows. */
  readonly rowsPerPosition: number
}

/** Sizes of a hook point's shape for a prompt of so many tokens, without the batch dimension. */
export function sizesOf(shape: HookShape, positions: number): number[] {
  return shape.map(size => (typeof size === 'number' ? size : typeof size === 'string' ? positions : positions * size.heads))
}

/** The batch dimension of 1 and what follows it; in front of flattened heads there is none. */
export function withBatch<Size, Batch>(shape: HookShape, sizes: readonly Size[], batch: Batch): (Size | Batch)[] {
  return typeof shape[0] === 'object' ? [...sizes] : [batch, ...sizes]
}

/** What each axis after the batch dimension runs over. */
export function axesOf(shape: HookShape): Axis[] {
  const [first, second, third] = shape
  if (shape.length === 3 && typeof first === 'number' && second === 'query' && third === 'key') return ['head', 'query', 'key']
  if (first === 'position' && shape.length === 2) return ['position', 'feature']
  if (typeof first === 'object' && shape.length === 2) return ['position-head', 'feature']
  if (first === 'position' && shape.length === 3) return ['position', 'head', 'feature']
  return shape.map(size => (typeof size === 'string' ? size : 'other'))
}

/** The planes of an activation of these sizes and axes (both without the batch dimension), of a prompt of so many tokens. */
export function layoutOf(sizes: readonly number[], axes: readonly Axis[], byHead: boolean, positions: number): Layout {
  const [first = 1, second = 1, third = 1] = sizes
  if (axes[0] === 'head') {
    return { planes: first, rows: second, columns: third, planeStride: second * third, rowStride: third, square: true, rowsPerPosition: 1 }
  }
  if (byHead && axes[0] === 'position' && axes[1] === 'head') {
    return { planes: second, rows: first, columns: third, planeStride: third, rowStride: second * third, square: false, rowsPerPosition: 1 }
  }
  const columns = sizes.slice(1).reduce((product, size) => product * size, 1)
  const rowsPerPosition = axes[0] === 'position-head' ? first / positions : 1
  return { planes: 1, rows: first, columns, planeStride: 0, rowStride: columns, square: false, rowsPerPosition }
}
