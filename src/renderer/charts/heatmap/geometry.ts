/** Where a picture's cells, labels and bars stand, in CSS pixels. */
import type { Place } from './viewport.ts'

export type Size = { width: number; height: number }

/** The plot and the size of one cell in it; cells need not be whole pixels. */
export type Geometry = {
  x: number
  y: number
  width: number
  height: number
  rows: number
  columns: number
  cellWidth: number
  cellHeight: number
}

/** Room around the plot: labels of rows and columns, bars of norms. */
export type Margins = { left: number; top: number; right: number; bottom: number }

/** Cells are no larger than this, so that a small matrix keeps its shape: numbers fit into them. */
const widestCell = 72
const tallestCell = 26
const largestSquare = 44

/** Lays a matrix of cells into a size. `square`: cells are as wide as high. */
export function geometryOf(size: Size, rows: number, columns: number, margins: Margins, square: boolean): Geometry {
  const room = {
    width: Math.max(1, size.width - margins.left - margins.right),
    height: Math.max(1, size.height - margins.top - margins.bottom)
  }
  let cellWidth = room.width / columns
  let cellHeight = room.height / rows
  if (square) {
    cellWidth = Math.min(cellWidth, cellHeight, largestSquare)
    cellHeight = cellWidth
  } else {
    cellWidth = Math.min(cellWidth, widestCell)
    cellHeight = Math.min(cellHeight, tallestCell)
  }
  return { x: margins.left, y: margins.top, width: cellWidth * columns, height: cellHeight * rows, rows, columns, cellWidth, cellHeight }
}

/** The cell under a point, or null outside the plot. */
export function cellAt(geometry: Geometry, x: number, y: number): Place | null {
  const column = Math.floor((x - geometry.x) / geometry.cellWidth)
  const row = Math.floor((y - geometry.y) / geometry.cellHeight)
  if (row < 0 || column < 0 || row >= geometry.rows || column >= geometry.columns) return null
  return { row, column }
}

/** The cell nearest to a point. */
export function nearestCell(geometry: Geometry, x: number, y: number): Place {
  const clamp = (value: number, size: number) => Math.min(Math.max(value, 0), size - 1)
  return {
    row: clamp(Math.floor((y - geometry.y) / geometry.cellHeight), geometry.rows),
    column: clamp(Math.floor((x - geometry.x) / geometry.cellWidth), geometry.columns)
  }
}

/** Edges of a span of cells on whole pixels, at least one pixel apart. */
export function edgesOf(start: number, end: number, origin: number, cell: number): { from: number; length: number } {
  const from = Math.round(origin + start * cell)
  return { from, length: Math.max(1, Math.round(origin + end * cell) - from) }
}

/** Every how many cells a label fits, in round steps. */
export function labelStep(cell: number, room: number): number {
  const least = room / cell
  if (least <= 1) return 1
  const power = 10 ** Math.floor(Math.log10(least))
  return [1, 2, 5, 10].map(step => step * power).find(step => step >= least) ?? 10 * power
}
