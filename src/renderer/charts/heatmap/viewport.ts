/** Which part of a matrix is looked at, in its own rows and columns: zooming, moving, and keeping a cell in sight. */

/** Half-open: `start` is inside, `end` is not. */
export type Range = [start: number, end: number]
export type Viewport = { rows: Range; columns: Range }
export type Extent = { rows: number; columns: number }
export type Place = { row: number; column: number }

/** Fewest rows and columns that are shown, where there are as many. */
const fewestRows = 1
const fewestColumns = 4

/** Everything. */
export function wholeOf({ rows, columns }: Extent): Viewport {
  return { rows: [0, rows], columns: [0, columns] }
}

export function isWhole({ rows, columns }: Viewport, extent: Extent): boolean {
  return rows[0] === 0 && rows[1] === extent.rows && columns[0] === 0 && columns[1] === extent.columns
}

/** A range of whole numbers of at least `fewest`, inside [0, size). */
function within(start: number, length: number, size: number, fewest: number): Range {
  const count = Math.min(size, Math.max(fewest, Math.round(length)))
  const from = Math.min(Math.max(0, Math.round(start)), size - count)
  return [from, from + count]
}

/** The part between two corners, whichever comes first; both are inside. */
export function between(one: Place, other: Place, extent: Extent): Viewport {
  const rows = [one.row, other.row].sort((a, b) => a - b) as Range
  const columns = [one.column, other.column].sort((a, b) => a - b) as Range
  return {
    rows: within(rows[0], rows[1] - rows[0] + 1, extent.rows, fewestRows),
    columns: within(columns[0], columns[1] - columns[0] + 1, extent.columns, fewestColumns)
  }
}

/** By how much rows and columns are magnified; below 1 they are reduced. */
export type Factors = { rows: number; columns: number }

/** Magnified around a place, which keeps its share of the picture. */
export function zoomed({ rows, columns }: Viewport, extent: Extent, factors: Factors, at: Place): Viewport {
  const along = ([start, end]: Range, place: number, size: number, factor: number, fewest: number) => {
    const length = (end - start) / factor
    const share = (place - start) / Math.max(1, end - start)
    return within(place - share * length, length, size, Math.min(fewest, size))
  }
  return {
    rows: along(rows, at.row, extent.rows, factors.rows, fewestRows),
    columns: along(columns, at.column, extent.columns, factors.columns, fewestColumns)
  }
}

/** Moved by whole rows and columns, as far as there are any. */
export function moved({ rows, columns }: Viewport, extent: Extent, byRows: number, byColumns: number): Viewport {
  const along = ([start, end]: Range, by: number, size: number) => within(start + by, end - start, size, 1)
  return { rows: along(rows, byRows, extent.rows), columns: along(columns, byColumns, extent.columns) }
}

/** Moved no further than it takes to have a place in sight. */
export function showing(viewport: Viewport, extent: Extent, { row, column }: Place): Viewport {
  const by = ([start, end]: Range, place: number) => (place < start ? place - start : place >= end ? place - end + 1 : 0)
  return moved(viewport, extent, by(viewport.rows, row), by(viewport.columns, column))
}
