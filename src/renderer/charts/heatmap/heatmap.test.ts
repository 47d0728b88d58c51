/** What a heat map is made of: the part in sight, cells and their places, colours, and the text of an SVG. */
import { describe, expect, test } from 'vitest'
import { cellColumns, cellOf, cellRows, cellValue, columnsOfCell, rowsOfCell, spanText } from './cells.ts'
import { legendNotes, legendTicks } from './drawing.ts'
import { cellAt, edgesOf, geometryOf, labelStep, nearestCell } from './geometry.ts'
import { beyondOf, fillOf, heatScale, pixelsOf } from './heat-scale.ts'
import { SvgSurface } from './surface.ts'
import { between, isWhole, moved, showing, wholeOf, zoomed } from './viewport.ts'

const extent = { rows: 20, columns: 1000 }
const both = (factor: number) => ({ rows: factor, columns: factor })

describe('the part in sight', () => {
  test('zooms around a place, which keeps its share, and never leaves the matrix', () => {
    expect(zoomed(wholeOf(extent), extent, both(2), { row: 0, column: 500 })).toEqual({ rows: [0, 10], columns: [250, 750] })
    expect(zoomed({ rows: [15, 20], columns: [900, 1000] }, extent, both(0.5), { row: 19, column: 999 })).toEqual({
      rows: [10, 20],
      columns: [800, 1000]
    })
    expect(zoomed(wholeOf(extent), extent, { rows: 1, columns: 4 }, { row: 3, column: 0 })).toEqual({ rows: [0, 20], columns: [0, 250] })
    expect(isWhole(zoomed(wholeOf(extent), extent, both(0.5), { row: 3, column: 7 }), extent)).toBe(true)
  })
  test('keeps a row and some columns however far it zooms', () => {
    const near = zoomed({ rows: [3, 4], columns: [10, 14] }, extent, both(100), { row: 3, column: 12 })
    expect([near.rows[1] - near.rows[0], near.columns[1] - near.columns[0]]).toEqual([1, 4])
    expect(zoomed(wholeOf({ rows: 2, columns: 1 }), { rows: 2, columns: 1 }, both(8), { row: 1, column: 0 })).toEqual({
      rows: [1, 2],
      columns: [0, 1]
    })
  })
  test('is what was dragged over, both corners included', () => {
    expect(between({ row: 9, column: 700 }, { row: 4, column: 650 }, extent)).toEqual({ rows: [4, 10], columns: [650, 701] })
  })
  test('moves as far as there is something, and no further than it takes to show a place', () => {
    const part = { rows: [0, 10] as [number, number], columns: [100, 200] as [number, number] }
    expect(moved(part, extent, 50, -500)).toEqual({ rows: [10, 20], columns: [0, 100] })
    expect(showing(part, extent, { row: 12, column: 99 })).toEqual({ rows: [3, 13], columns: [99, 199] })
    expect(showing(part, extent, { row: 4, column: 150 })).toEqual(part)
  })
})

describe('cells', () => {
  const cells = {
    values: Float32Array.from({ length: 8 }, (_, place) => place),
    rows: [4, 8] as [number, number],
    columns: [10, 20] as [number, number],
    rowsPerCell: 2,
    columnsPerCell: 3
  }
  test('stand for whole numbers of rows and columns, the last ones for what remains', () => {
    expect([cellRows(cells), cellColumns(cells)]).toEqual([2, 4])
    expect([rowsOfCell(cells, 1), columnsOfCell(cells, 3)]).toEqual([
      [6, 8],
      [19, 20]
    ])
    expect([spanText([6, 8]), spanText([19, 20])]).toEqual(['6–7', '19'])
  })
  test('are found by a place of the matrix, and hold its value', () => {
    expect(cellOf(cells, { row: 7, column: 19 })).toEqual({ row: 1, column: 3 })
    expect(cellOf(cells, { row: 3, column: 12 })).toBeNull()
    expect(cellValue(cells, { row: 1, column: 2 })).toBe(6)
  })
})

describe('places', () => {
  const margins = { left: 100, top: 30, right: 10, bottom: 0 }
  test('cells fill the room, keep a largest size, and are square for attention', () => {
    expect(geometryOf({ width: 1110, height: 230 }, 20, 1000, margins, false)).toMatchObject({ cellWidth: 1, cellHeight: 10 })
    expect(geometryOf({ width: 1110, height: 230 }, 2, 2, margins, false)).toMatchObject({ cellWidth: 72, cellHeight: 26 })
    expect(geometryOf({ width: 1110, height: 230 }, 10, 10, margins, true)).toMatchObject({
      cellWidth: 20,
      cellHeight: 20,
      width: 200,
      height: 200
    })
  })
  test('a point is in a cell, or outside; a drag ends in the nearest one', () => {
    const geometry = geometryOf({ width: 1110, height: 230 }, 10, 10, margins, true)
    expect(cellAt(geometry, 100, 30)).toEqual({ row: 0, column: 0 })
    expect(cellAt(geometry, 299, 229)).toEqual({ row: 9, column: 9 })
    expect([cellAt(geometry, 99, 40), cellAt(geometry, 301, 40)]).toEqual([null, null])
    expect(nearestCell(geometry, 5000, -5)).toEqual({ row: 0, column: 9 })
  })
  test('neighbours share an edge on a whole pixel, however narrow', () => {
    const [one, next] = [edgesOf(3, 4, 0.5, 7.3), edgesOf(4, 5, 0.5, 7.3)]
    expect(one.from + one.length).toBe(next.from)
    expect(edgesOf(3, 4, 0, 0.2).length).toBe(1)
  })
  test('labels stand at round steps', () => {
    expect([labelStep(20, 13), labelStep(5, 13), labelStep(0.9, 40), labelStep(0.1, 40)]).toEqual([1, 5, 50, 500])
  })
})

describe('colours', () => {
  const palette = {
    diverging: ['#000000', '#ffffff', '#0000ff'],
    sequential: ['#ffffff', '#000000'],
    masked: '#808080',
    infinite: '#00ff00',
    notANumber: '#ff0000'
  }
  const diverging = heatScale(palette, true, 4)
  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number

  test('reach from -bound over zero to bound, and no further', () => {
    expect([-4, 0, 4, 9].map(value => fillOf(diverging, value).background)).toEqual([
      'rgb(0 0 0)',
      'rgb(255 255 255)',
      'rgb(0 0 255)',
      'rgb(0 0 255)'
    ])
    expect(fillOf(heatScale(palette, false, 4), 2).background).toBe('rgb(128 128 128)')
    expect(legendTicks(diverging)).toEqual([
      [0, -4],
      [0.5, 0],
      [1, 4]
    ])
    expect(heatScale(palette, true, 0).bound).toBe(1)
  })
  test('numbers on them are black or white, whichever reads', () => {
    expect([fillOf(diverging, -4).color, fillOf(diverging, 0).color]).toEqual(['#fff', '#000'])
  })
  test('masked scores, infinities and NaN have colours of their own, and the legend says what is beyond the scale', () => {
    const values = Float32Array.of(-infinity, infinity, nan, 5, 4, -9, 0)
    expect([...pixelsOf(diverging, values).subarray(0, 12)]).toEqual([128, 128, 128, 255, 0, 255, 0, 255, 255, 0, 0, 255])
    const beyond = beyondOf(diverging, values)
    expect(beyond).toEqual({ beyond: 2, masked: 1, infinite: 1, notANumber: 1 })
    expect(legendNotes(diverging, beyond).map(({ text }) => text)).toEqual([
      'masked (−∞)',
      '∞: 1 cell',
      'NaN: 1 cell',
      '2 cells beyond the scale'
    ])
    expect(legendNotes(diverging, beyondOf(diverging, Float32Array.of(1, -4)))).toEqual([])
  })
})

test('an SVG joins neighbours of one colour and escapes tokens', () => {
  const surface = new SvgSurface({ sans: 'sans', mono: 'mono' })
  const pixels = Uint8ClampedArray.from([255, 0, 0, 255, 255, 0, 0, 255, 0, 0, 255, 255])
  surface.cells(10, 20, 30, 5, 3, 1, pixels)
  surface.text(1, 2, '<bos> & "x"', { color: '#000', size: 11, mono: true, align: 'right' })
  const text = surface.toText(100, 50)
  expect(text.match(/<rect/g)).toHaveLength(2)
  expect(text).toContain('<rect x="10" y="20" width="20" height="5" fill="#ff0000"/>')
  expect(text).toContain('&lt;bos&gt; &amp; &quot;x&quot;</text>')
  expect(text).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="100" height="50"/)
})
