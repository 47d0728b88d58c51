import { expect, test } from 'vitest'
import { strongestCells } from './heat-cells.ts'

const values = Float32Array.of(1, 0, 5, 2, 0, 3, 0, 0, 0, 0, 9, 1)
const extent = { rows: 3, columns: 4 }

test('cells are exact where they fit', () => {
  const cells = strongestCells(values, extent, { rows: [1, 3], columns: [1, 4] }, { rows: 10, columns: 10 })
  expect(cells).toMatchObject({ rowsPerCell: 1, columnsPerCell: 1, rows: [1, 3], columns: [1, 4] })
  expect([...cells.values]).toEqual([3, 0, 0, 0, 9, 1])
})

test('where they do not, the strongest stands for each', () => {
  const cells = strongestCells(values, extent, { rows: [0, 3], columns: [0, 4] }, { rows: 2, columns: 2 })
  expect(cells).toMatchObject({ rowsPerCell: 2, columnsPerCell: 2 })
  expect([...cells.values]).toEqual([3, 5, 0, 9])
})
