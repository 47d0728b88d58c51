/** A window onto an activation, for display: exact values where they fit, cells that sum up several where they do not. */

import { SpliceError } from '../../contract/errors.ts'
import { type ActivationWindow, mostCells, type Pooling } from '../../contract/hooks.ts'
import type { Layout } from './activation-layout.ts'
import { subtract } from './activation-statistics.ts'

export type Range = [start: number, end: number]

export interface WindowValues {
  readonly planes: Range
  readonly rows: Range
  readonly columns: Range
  readonly rowsPerCell: number
  readonly columnsPerCell: number
  /** [plane, row, column] of the cells. */
  readonly values: Float32Array<ArrayBuffer>
  /** |x| of each whole row, [plane, row], never pooled; null for attention. */
  readonly norms: Float32Array<ArrayBuffer> | null
}

function clamp([start, end]: readonly [number, number], size: number): Range {
  const from = Math.min(start, Math.max(0, size - 1))
  return [from, Math.max(from, Math.min(end, size))]
}

/**
 * What a window shows of `values`, or of `values - other`. Throws `hooks/window` where it would hold more than 4 million cells.
 */
export function windowOf(values: Float32Array, other: Float32Array | null, layout: Layout, window: ActivationWindow): WindowValues {
  const planes = clamp(window.planes, layout.planes)
  const rows = clamp(window.rows, layout.rows)
  const columns = clamp(window.columns, layout.columns)
  const [planeCount, rowCount, columnCount] = [planes, rows, columns].map(([start, end]) => end - start) as [number, number, number]
  const rowsPerCell = Math.max(1, Math.ceil(rowCount / window.mostRows))
  const columnsPerCell = Math.max(1, Math.ceil(columnCount / window.mostColumns))
  const cellRows = Math.ceil(rowCount / rowsPerCell)
  const cellColumns = Math.ceil(columnCount / columnsPerCell)
  const cells = planeCount * cellRows * cellColumns
  if (cells > mostCells) {
    throw new SpliceError('hooks/window', `a window of ${cells} cells is too large to be sent at once`, {
      field: 'mostColumns',
      hint: `Ask for fewer rows, columns or heads: at most ${mostCells} cells.`
    })
  }
  const at = (place: number) => {
    const x = values[place] ?? Number.NaN
    return other === null ? x : subtract(x, other[place] ?? Number.NaN)
  }
  const pool = new Pool(window.pooling)
  const out = new Float32Array(cells)
  let cell = 0
  for (let plane = planes[0]; plane < planes[1]; plane++) {
    for (let top = rows[0]; top < rows[1]; top += rowsPerCell) {
      const bottom = Math.min(top + rowsPerCell, rows[1])
      for (let left = columns[0]; left < columns[1]; left += columnsPerCell) {
        const right = Math.min(left + columnsPerCell, columns[1])
        pool.clear()
        for (let row = top; row < bottom; row++) {
          const start = plane * layout.planeStride + row * layout.rowStride
          for (let column = left; column < right; column++) pool.add(at(start + column))
        }
        out[cell] = pool.value
        cell += 1
      }
    }
  }
  return {
    planes,
    rows,
    columns,
    rowsPerCell,
    columnsPerCell,
    values: out,
    norms: layout.square ? null : normsOf(at, layout, planes, rows)
  }
}

function normsOf(at: (place: number) => number, layout: Layout, planes: Range, rows: Range): Float32Array<ArrayBuffer> {
  const norms = new Float32Array((planes[1] - planes[0]) * (rows[1] - rows[0]))
  let place = 0
  for (let plane = planes[0]; plane < planes[1]; plane++) {
    for (let row = rows[0]; row < rows[1]; row++) {
      const start = plane * layout.planeStride + row * layout.rowStride
      let squares = 0
      for (let column = 0; column < layout.columns; column++) squares += at(start + column) ** 2
      norms[place] = Math.sqrt(squares)
      place += 1
    }
  }
  return norms
}

/** Sums up the values of a cell. */
class Pool {
  readonly #pooling: Pooling
  #finite = 0
  #sum = 0
  #largest = 0
  #infinite = 0
  #isNaN = false

  constructor(pooling: Pooling) {
    this.#pooling = pooling
  }

  clear(): void {
    this.#finite = 0
    this.#sum = 0
    this.#largest = 0
    this.#infinite = 0
    this.#isNaN = false
  }

  add(value: number): void {
    if (value - value === 0) {
      this.#finite += 1
      this.#sum += value
      if (Math.abs(value) > Math.abs(this.#largest)) this.#largest = value
    } else if (Number.isNaN(value)) this.#isNaN = true
    else this.#infinite = value
  }

  /** A NaN shows however many values stand beside it; infinities (masked scores) only where nothing else is in the cell. */
  get value(): number {
    if (this.#isNaN) return Number.NaN
    if (this.#finite === 0) return this.#infinite
    return this.#pooling === 'mean' ? this.#sum / this.#finite : this.#largest
  }
}
