/** The cells of a picture: values that each stand for a whole number of rows and columns of the matrix behind it. */
import type { Place, Range } from './viewport.ts'

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
