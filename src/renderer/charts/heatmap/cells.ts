/** The cells of a picture: values that each stand for a whole number of rows and columns of the matrix behind it. */
import type { Extent, Place, Range, Viewport } from './viewport.ts'

/** `values` [row, column] of `rowCount` by `columnCount` cells over these ranges of the matrix. */
export type Cells = {
  values: Float32Array
  rows: Range
  columns: Range
  rowsPerCell: number
  columnsPerCell: number
}

/** A cell of a picture with the rows and columns of the matrix that it stands for; `head` where there is a matrix per head. */
export type PointedCell = { head: number | null; rows: Range; columns: Range; value: number }

/** Everything about a cell of a matrix. */
export function pointedCell(cells: Cells, cell: Place, head: number | null = null): PointedCell {
  return { head, rows: rowsOfCell(cells, cell.row), columns: columnsOfCell(cells, cell.column), value: cellValue(cells, cell) }
}

export function countOf([start, end]: Range, perCell: number): number {
  return Math.ceil((end - start) / perCell)
}

export function cellRows(cells: Cells): number {
  return countOf(cells.rows, cells.rowsPerCell)
}

export function cellColumns(cells: Cells): number {
  return countOf(cells.columns, cells.columnsPerCell)
}

/** The rows of the matrix that a row of cells stands for; the last one may have fewer. */
export function rowsOfCell(cells: Cells, row: number): Range {
  return spanOf(cells.rows, cells.rowsPerCell, row)
}

export function columnsOfCell(cells: Cells, column: number): Range {
  return spanOf(cells.columns, cells.columnsPerCell, column)
}

function spanOf([first, end]: Range, perCell: number, cell: number): Range {
  const start = first + cell * perCell
  return [start, Math.min(end, start + perCell)]
}

/** The cell that stands for a place of the matrix, or null where that is out of sight. */
export function cellOf(cells: Cells, { row, column }: Place): Place | null {
  if (row < cells.rows[0] || row >= cells.rows[1] || column < cells.columns[0] || column >= cells.columns[1]) return null
  return {
    row: Math.floor((row - cells.rows[0]) / cells.rowsPerCell),
    column: Math.floor((column - cells.columns[0]) / cells.columnsPerCell)
  }
}

/** The value of a cell. */
export function cellValue(cells: Cells, { row, column }: Place): number {
  return cells.values[row * cellColumns(cells) + column] ?? Number.NaN
}

/** Whether every cell is one value of the matrix. */
export function isExact(cells: Cells): boolean {
  return cells.rowsPerCell === 1 && cells.columnsPerCell === 1
}

/** A range in words: `5`, or `5–7` with both ends inside. */
export function spanText([start, end]: Range): string {
  return end - start === 1 ? String(start) : `${start}–${end - 1}`
}

/** The picture's cells: where more than one value falls into a cell, that of the largest size stands for all. */
export function largestCells(values: Float32Array, extent: Extent, { rows, columns }: Viewport, fits: Extent): Cells {
  const rowsPerCell = Math.max(1, Math.ceil((rows[1] - rows[0]) / Math.max(1, fits.rows)))
  const columnsPerCell = Math.max(1, Math.ceil((columns[1] - columns[0]) / Math.max(1, fits.columns)))
  const across = Math.ceil((columns[1] - columns[0]) / columnsPerCell)
  const cells = new Float32Array(Math.ceil((rows[1] - rows[0]) / rowsPerCell) * across).fill(Number.NaN)
  for (let row = rows[0]; row < rows[1]; row++) {
    for (let column = columns[0]; column < columns[1]; column++) {
      const cell = Math.floor((row - rows[0]) / rowsPerCell) * across + Math.floor((column - columns[0]) / columnsPerCell)
      const value = values[row * extent.columns + column] ?? Number.NaN
      const known = cells[cell] ?? Number.NaN
      if (Number.isNaN(known) || Math.abs(value) > Math.abs(known)) cells[cell] = value
    }
  }
  return { values: cells, rows, columns, rowsPerCell, columnsPerCell }
}
