/** Draws a matrix as coloured cells, with labels, numbers where they fit, and a bar of each row's norm. */
import { formatMetric } from '../../state/numbers.ts'
import { type Cells, cellColumns, cellRows, columnsOfCell, isExact, rowsOfCell } from './cells.ts'
import { edgesOf, type Geometry, labelStep, type Margins } from './geometry.ts'
import { type Beyond, fillOf, type HeatScale, pixelsOf } from './heat-scale.ts'
import type { Surface } from './surface.ts'
import type { Extent } from './viewport.ts'

export type PictureColors = { text: string; muted: string; faint: string; line: string; panel: string; accent: string; bar: string }

/** What rows and columns are called: tokens by their text, features by their number. */
export type AxisLabels = {
  /** What the axis runs over, e.g. `query` or `feature`. */
  title: string
  /** Text of a row or column of the matrix; null where its number says it all. */
  text: ((index: number) => string) | null
  /** Columns of one head, where heads lie side by side. */
  headWidth?: number
  /** False where the texts say it all, and numbers beside them would mislead. */
  isNumbered?: boolean
}

export type HeatPicture = {
  cells: Cells
  scale: HeatScale
  rows: AxisLabels
  columns: AxisLabels
  /** |x| of each row of the range, and the length that a full bar stands for. */
  norms: { values: Float32Array; largest: number } | null
  /** What is written into the cells, in rows and columns of the matrix; their numbers where it is missing. */
  texts?: CellText | undefined
  colors: PictureColors
}

export type CellText = (row: number, column: number) => string

/** Width of a text in CSS pixels. */
export type Measure = (text: string, size: number, mono: boolean) => number

const labelSize = 11
const numberSize = 10
/** The smallest cells that have room for a text, in CSS pixels. */
const leastForText = { width: 24, height: 13 }
const longestLabel = 110
const longestColumnLabel = 84
const barWidth = 56
const normsWidth = 116

/** Room for the labels and bars of a picture of a matrix, whatever part of it is shown. */
export function marginsOf(rows: AxisLabels, columns: AxisLabels, hasNorms: boolean, extent: Extent, measure: Measure): Margins {
  const widest = ({ text }: AxisLabels, size: number, most: number) => {
    if (text === null) return 0
    let width = 0
    for (let index = 0; index < size && width < most; index++) width = Math.max(width, measure(text(index), labelSize, true))
    return Math.min(most, width)
  }
  const left = widest(rows, extent.rows, longestLabel)
  const top = widest(columns, extent.columns, longestColumnLabel)
  return {
    left: Math.ceil(
      Math.max(numbersWidth(rows, extent, measure) + (left === 0 ? 0 : left + 8), measure(rowsTitle(rows), labelSize, false)) + 10
    ),
    top: Math.ceil(columns.text === null ? 30 : top + 24),
    right: hasNorms ? normsWidth : 10,
    bottom: 4
  }
}

function rowsTitle({ title }: AxisLabels): string {
  return `${title} ↓`
}

function numbersWidth({ isNumbered }: AxisLabels, { rows }: Extent, measure: Measure): number {
  return isNumbered === false ? 0 : measure(String(rows - 1), numberSize, true)
}

/** A text cut to a width, with an ellipsis. */
function cut(text: string, width: number, size: number, measure: Measure): string {
  if (measure(text, size, true) <= width) return text
  let kept = text
  while (kept.length > 1 && measure(`${kept}…`, size, true) > width) kept = kept.slice(0, -1)
  return `${kept}…`
}

/** The whole picture but its marks. */
export function drawPicture(surface: Surface, picture: HeatPicture, geometry: Geometry, extent: Extent, measure: Measure): void {
  drawCells(surface, picture, geometry, measure)
  drawRowLabels(surface, picture, geometry, extent, measure)
  drawColumnLabels(surface, picture, geometry, measure)
  if (picture.norms !== null) drawNorms(surface, picture, picture.norms, geometry)
}

function drawCells(surface: Surface, { cells, scale, columns, colors, texts }: HeatPicture, geometry: Geometry, measure: Measure): void {
  const { x, y, width, height, cellWidth, cellHeight } = geometry
  const pixels = pixelsOf(scale, cells.values)
  surface.cells(x, y, width, height, geometry.columns, geometry.rows, pixels)
  if (texts !== undefined) {
    const fits = cellWidth >= leastForText.width && cellHeight >= leastForText.height
    if (isExact(cells) && fits) drawTexts(surface, cells, scale, texts, geometry, measure)
  } else if (isExact(cells) && cellWidth >= 38 && cellHeight >= 13) drawNumbers(surface, cells, scale, geometry)
  const { headWidth } = columns
  if (headWidth !== undefined) {
    const first = Math.ceil((cells.columns[0] + 1) / headWidth) * headWidth
    for (let border = first; border < cells.columns[1]; border += headWidth) {
      const at = x + ((border - cells.columns[0]) / cells.columnsPerCell) * cellWidth
      surface.rect(Math.round(at), y, 1, height, colors.muted)
    }
  }
  surface.outline(x - 0.5, y - 0.5, Math.round(width) + 1, Math.round(height) + 1, colors.line, 1)
}

/** A value in six characters or so. */
function shortNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return '∞'
  const size = Math.abs(value)
  if (size !== 0 && size < 0.001) return value.toExponential(0)
  const digits = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3
  const text = value.toFixed(digits)
  return Number(text) === 0 ? '0' : text
}

function drawTexts(surface: Surface, cells: Cells, scale: HeatScale, texts: CellText, geometry: Geometry, measure: Measure): void {
  const { x, y, rows, columns, cellWidth, cellHeight } = geometry
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const { color } = fillOf(scale, cells.values[row * columns + column] ?? Number.NaN)
      const text = cut(texts(cells.rows[0] + row, cells.columns[0] + column), cellWidth - 6, labelSize, measure)
      const style = { color, size: labelSize, mono: true, align: 'center' } as const
      surface.text(x + (column + 0.5) * cellWidth, y + (row + 0.5) * cellHeight, text, style)
    }
  }
}

function drawNumbers(surface: Surface, cells: Cells, scale: HeatScale, { x, y, rows, columns, cellWidth, cellHeight }: Geometry): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = cells.values[row * columns + column] ?? Number.NaN
      // Half of an attention picture is masked or nothing: its colour says so.
      if (value === Number.NEGATIVE_INFINITY || value === 0) continue
      const { color } = fillOf(scale, value)
      const style = { color, size: numberSize, mono: true, align: 'center' } as const
      surface.text(x + (column + 0.5) * cellWidth, y + (row + 0.5) * cellHeight, shortNumber(value), style)
    }
  }
}

function drawRowLabels(surface: Surface, { cells, rows, colors }: HeatPicture, geometry: Geometry, extent: Extent, measure: Measure): void {
  const { x, y, cellHeight } = geometry
  const step = labelStep(cellHeight, 13)
  const numberAt = rows.text === null ? x - 6 : numbersWidth(rows, extent, measure) + 4
  for (let row = 0; row < geometry.rows; row += step) {
    const [index] = rowsOfCell(cells, row)
    const middle = y + (row + 0.5) * cellHeight
    if (rows.isNumbered !== false)
      surface.text(numberAt, middle, String(index), { color: colors.faint, size: numberSize, mono: true, align: 'right' })
    if (rows.text === null) continue
    const room = x - 6 - numberAt - 6
    surface.text(x - 6, middle, cut(rows.text(index), room, labelSize, measure), {
      color: colors.text,
      size: labelSize,
      mono: true,
      align: 'right'
    })
  }
  surface.text(x - 6, y - 10, rowsTitle(rows), { color: colors.muted, size: labelSize, align: 'right' })
}

function drawColumnLabels(surface: Surface, { cells, columns, colors }: HeatPicture, geometry: Geometry, measure: Measure): void {
  const { x, y, cellWidth } = geometry
  const { text, headWidth } = columns
  if (text !== null) {
    const step = labelStep(cellWidth, 13)
    for (let column = 0; column < geometry.columns; column += step) {
      const [index] = columnsOfCell(cells, column)
      const label = cut(text(index), longestColumnLabel, labelSize, measure)
      surface.text(x + (column + 0.5) * cellWidth, y - 6, label, { color: colors.text, size: labelSize, mono: true, turned: true })
    }
  } else {
    const style = { color: colors.faint, size: numberSize, mono: true, align: 'center' } as const
    for (const { at, label } of columnTicks(cells, cellWidth, headWidth, measure)) surface.text(x + at, y - 8, label, style)
  }
  surface.text(x, 8, `${columns.title} →`, { color: colors.muted, size: labelSize })
}

/** Numbers along the columns where they fit; heads by name where they lie side by side and have room. */
function columnTicks(cells: Cells, cellWidth: number, headWidth: number | undefined, measure: Measure): { at: number; label: string }[] {
  const [start, end] = cells.columns
  const perColumn = cellWidth / cells.columnsPerCell
  if (headWidth !== undefined && headWidth * perColumn >= 52 && (end - start) / headWidth > 1.5) {
    const first = Math.floor(start / headWidth)
    const heads = Array.from({ length: Math.ceil(end / headWidth) - first }, (_, index) => first + index)
    return heads.map(head => {
      const from = Math.max(start, head * headWidth)
      const to = Math.min(end, (head + 1) * headWidth)
      return { at: ((from + to) / 2 - start) * perColumn, label: `head ${head}` }
    })
  }
  const room = measure(String(end), numberSize, true) + 16
  const step = Math.max(cells.columnsPerCell, labelStep(perColumn, room))
  const ticks: { at: number; label: string }[] = []
  for (let index = Math.ceil(start / step) * step; index < end; index += step) {
    ticks.push({ at: (index - start + 0.5 * cells.columnsPerCell) * perColumn, label: String(index) })
  }
  return ticks
}

function drawNorms(
  surface: Surface,
  { cells, colors }: HeatPicture,
  { values, largest }: { values: Float32Array; largest: number },
  geometry: Geometry
): void {
  const { x, y, width, cellHeight } = geometry
  const left = Math.round(x + width) + 10
  surface.text(left, y - 10, cells.rowsPerCell === 1 ? '|x|' : 'largest |x|', { color: colors.muted, size: labelSize })
  for (let row = 0; row < geometry.rows; row++) {
    const [start, end] = rowsOfCell(cells, row)
    let norm = 0
    for (let index = start; index < end; index++) {
      const value = values[index - cells.rows[0]] ?? 0
      if (Number.isNaN(value)) norm = Number.NaN
      else if (value > norm) norm = value
    }
    const { from, length } = edgesOf(row, row + 1, y, cellHeight)
    const inset = length > 6 ? 2 : 0
    const share = Number.isFinite(norm) && largest > 0 ? norm / largest : 0
    const bar = { top: from + inset, height: Math.max(1, length - 2 * inset) }
    surface.rect(left, bar.top, Math.max(1, Math.round(Math.min(1, share) * barWidth)), bar.height, colors.bar)
    // A bar that would be longer is broken.
    if (share > 1) surface.rect(left + barWidth - 10, bar.top, 3, bar.height, colors.panel)
    if (length >= 12) {
      surface.text(left + barWidth + 4, from + length / 2, Number.isNaN(norm) ? 'NaN' : formatMetric(norm), {
        color: colors.muted,
        size: numberSize,
        mono: true
      })
    }
  }
}

/** The scale with its numbers, and what it cannot show, along a line that begins at (x, y). Height 30. */
export function drawLegend(
  surface: Surface,
  x: number,
  y: number,
  scale: HeatScale,
  beyond: Beyond,
  colors: PictureColors,
  measure: Measure
): void {
  const length = 200
  const steps = 100
  for (let step = 0; step < steps; step++) {
    surface.rect(x + (step * length) / steps, y, length / steps + 0.5, 10, scale.fill((step + 0.5) / steps).background)
  }
  surface.outline(x - 0.5, y - 0.5, length + 1, 11, colors.line, 1)
  for (const [share, value] of legendTicks(scale)) {
    surface.text(x + share * length, y + 19, tickText(value), { color: colors.muted, size: numberSize, mono: true, align: 'center' })
  }
  let at = x + length + 36
  for (const { text, fill } of legendNotes(scale, beyond)) {
    if (fill !== null) {
      surface.rect(at, y, 10, 10, fill)
      surface.outline(at - 0.5, y - 0.5, 11, 11, colors.line, 1)
    }
    surface.text(at + (fill === null ? 0 : 15), y + 5, text, { color: colors.muted, size: labelSize })
    at += 15 + measure(text, labelSize, false) + 16
  }
}

/** A round number of a scale. */
export function tickText(value: number): string {
  return Math.abs(value) >= 1e5 ? value.toExponential(1) : String(Number(value.toPrecision(3)))
}

/** Numbers along a scale, as shares of its length. */
export function legendTicks({ diverging, bound }: HeatScale): [share: number, value: number][] {
  return diverging
    ? [
        [0, -bound],
        [0.5, 0],
        [1, bound]
      ]
    : [
        [0, 0],
        [0.5, bound / 2],
        [1, bound]
      ]
}

/** What the shown cells hold that the scale has no place for. */
export function legendNotes(scale: HeatScale, { beyond, masked, infinite, notANumber }: Beyond): { text: string; fill: string | null }[] {
  const cells = (count: number) => `${count} ${count === 1 ? 'cell' : 'cells'}`
  return [
    ...(masked > 0 ? [{ text: 'masked (−∞)', fill: scale.masked.background }] : []),
    ...(infinite > 0 ? [{ text: `∞: ${cells(infinite)}`, fill: scale.infinite.background }] : []),
    ...(notANumber > 0 ? [{ text: `NaN: ${cells(notANumber)}`, fill: scale.notANumber.background }] : []),
    ...(beyond > 0 ? [{ text: `${cells(beyond)} beyond the scale`, fill: null }] : [])
  ]
}

/** Outlines a cell. */
export function markCell(surface: Surface, geometry: Geometry, row: number, column: number, color: string, contrast: string): void {
  const across = edgesOf(column, column + 1, geometry.x, geometry.cellWidth)
  const down = edgesOf(row, row + 1, geometry.y, geometry.cellHeight)
  surface.outline(across.from - 2.5, down.from - 2.5, across.length + 5, down.length + 5, contrast, 1)
  surface.outline(across.from - 1, down.from - 1, across.length + 2, down.length + 2, color, 2)
}

/** Counts of rows and columns of cells that fit into a size, one CSS pixel each at least. */
export function capacityOf(size: { width: number; height: number }, margins: Margins): { rows: number; columns: number } {
  return {
    rows: Math.max(1, Math.floor(size.height - margins.top - margins.bottom)),
    columns: Math.max(1, Math.floor(size.width - margins.left - margins.right))
  }
}

/** The matrix's cells as they are drawn. */
export function gridOf(cells: Cells): { rows: number; columns: number } {
  return { rows: cellRows(cells), columns: cellColumns(cells) }
}
