/** The heat map's cells: features by tokens, of which the strongest stands for a cell where there are more than fit. */
import type { Cells } from '../../charts/heatmap/cells.ts'
import type { Extent, Viewport } from '../../charts/heatmap/viewport.ts'

/** `values` [row, column] of the whole; cells keep within what fits. */
export function strongestCells(values: Float32Array, extent: Extent, { rows, columns }: Viewport, fits: Extent): Cells {
  const rowsPerCell = Math.max(1, Math.ceil((rows[1] - rows[0]) / Math.max(1, fits.rows)))
  const columnsPerCell = Math.max(1, Math.ceil((columns[1] - columns[0]) / Math.max(1, fits.columns)))
  const across = Math.ceil((columns[1] - columns[0]) / columnsPerCell)
  const cells = new Float32Array(Math.ceil((rows[1] - rows[0]) / rowsPerCell) * across)
  for (let row = rows[0]; row < rows[1]; row++) {
    for (let column = columns[0]; column < columns[1]; column++) {
      const cell = Math.floor((row - rows[0]) / rowsPerCell) * across + Math.floor((column - columns[0]) / columnsPerCell)
      cells[cell] = Math.max(cells[cell] ?? 0, values[row * extent.columns + column] ?? 0)
    }
  }
  return { values: cells, rows, columns, rowsPerCell, columnsPerCell }
}
