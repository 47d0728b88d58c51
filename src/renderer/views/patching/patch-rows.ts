/** Grids of patches as numbers for a heat map, and as rows of a table. */
import { fromMaybeNumber, type MaybeNumber } from '../../../contract/numbers.ts'
import { gridName, type PatchCell, type PatchingStart, spanOf } from '../../../contract/patching.ts'
import type { Token } from '../../../contract/run.ts'
import { toTsv } from '../../components/tsv.ts'
import { fullValue } from '../../state/numbers.ts'
import type { ShownGrid } from '../../state/patching.svelte.ts'

/** Columns that are shown of a grid by position: what follows the quantity's position cannot matter. */
export function shownPositions({ quantity, tokens }: Pick<PatchingStart, 'quantity' | 'tokens'>): number {
  return quantity.position === null ? tokens.length : quantity.position + 1
}

/**
 * Effects [layer, column], divided by `span` where there is one. Layers that are still to come are masked (-Infinity), numbers that are
 * none NaN.
 */
export function matrixOf({ effects }: Pick<ShownGrid, 'effects'>, layers: number, columns: number, span: number | null): Float32Array {
  const values = new Float32Array(layers * columns).fill(Number.NEGATIVE_INFINITY)
  for (const [layer, row] of effects.entries()) {
    for (let column = 0; column < columns; column++) {
      values[layer * columns + column] = (fromMaybeNumber(row[column] ?? null) ?? Number.NaN) / (span ?? 1)
    }
  }
  return values
}

/** How far a scale has to reach for these values. */
export function boundOf(values: Float32Array): number {
  return values.reduce((most, value) => (Number.isFinite(value) ? Math.max(most, Math.abs(value)) : most), 0)
}

/** The cell of a grid at a row and column. */
export function cellOf({ site, head, axis }: Omit<ShownGrid, 'effects'>, layer: number, column: number): PatchCell {
  return axis === 'head' ? { site, layer, position: null, head: column, from: null } : { site, layer, position: column, head, from: null }
}

/** The column of a cell in a grid; -1 where the cell is not of it. */
export function columnOf({ site, head, axis }: Omit<ShownGrid, 'effects'>, cell: PatchCell | null): number {
  if (cell === null || cell.site !== site) return -1
  if (axis === 'head') return cell.position === null ? (cell.head ?? -1) : -1
  return cell.head === head ? (cell.position ?? -1) : -1
}

/** A cell with its effect, raw and normalised. `place` counts in the order of the grids. */
export type PatchRow = {
  place: number
  cell: PatchCell
  base: Token | undefined
  source: Token | undefined
  effect: MaybeNumber
  normalised: number | null
}

/** All cells that are done, grid by grid, layer by layer. */
export function rowsOf(grids: readonly ShownGrid[], start: PatchingStart): PatchRow[] {
  const span = spanOf(start)
  const positions = shownPositions(start)
  const cells = grids.flatMap(grid =>
    grid.effects.flatMap((row, layer) =>
      row.slice(0, grid.axis === 'head' ? row.length : positions).map((effect, column) => ({ cell: cellOf(grid, layer, column), effect }))
    )
  )
  return cells.map(({ cell, effect }, place) => {
    const number = fromMaybeNumber(effect)
    return {
      place,
      cell,
      base: cell.position === null ? undefined : start.tokens[cell.position],
      source: cell.position === null ? undefined : start.sourceTokens[cell.position],
      effect,
      normalised: number === null || span === null ? null : number / span
    }
  })
}

export type PatchColumn = 'site' | 'layer' | 'position' | 'effect' | 'size'

/** What a column sorts by; null where a cell has nothing there. */
export function keyOf({ place, cell, effect }: PatchRow, column: PatchColumn): number | null {
  if (column === 'site') return place
  if (column === 'layer') return cell.layer
  if (column === 'position') return cell.position ?? cell.head
  const number = fromMaybeNumber(effect)
  return number === null || column === 'effect' ? number : Math.abs(number)
}

/** All numbers in full, one line for each cell. */
export function patchTsv(grids: readonly ShownGrid[], start: PatchingStart): string {
  return toTsv(
    ['site', 'layer', 'position', 'head', 'base token', 'source token', 'effect', 'normalised', 'base', 'source'],
    rowsOf(grids, start).map(({ cell, base, source, effect, normalised }) => [
      gridName({ site: cell.site, head: cell.position === null ? null : cell.head }),
      String(cell.layer),
      cell.position === null ? '' : String(cell.position),
      cell.head === null ? '' : String(cell.head),
      base?.text ?? '',
      source?.text ?? '',
      fullValue(effect),
      fullValue(normalised),
      fullValue(start.base),
      fullValue(start.source)
    ])
  )
}
