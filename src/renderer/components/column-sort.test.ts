/** Sorting the rows of a table. */
import { expect, test } from 'vitest'
import { type ColumnSort, nextSort, orderOf, sortRows } from './column-sort.ts'

const rows: { name: string; value: number | null }[] = [
  { name: 'layer 10', value: null },
  { name: 'layer 2', value: -1 },
  { name: 'Layer 9', value: Number.NaN },
  { name: '', value: 3 },
  { name: 'layer 2', value: 3 }
]
const keyOf = (row: (typeof rows)[number], column: 'name' | 'value') => row[column]
const values = (sort: ColumnSort<'name' | 'value'>) => sortRows(rows, sort, keyOf).map(({ value }) => value)

test('rows without a value come last, either way, and equal ones stay as they were', () => {
  expect(values({ column: 'value', descending: false })).toEqual([-1, 3, 3, null, Number.NaN])
  expect(values({ column: 'value', descending: true })).toEqual([3, 3, -1, null, Number.NaN])
  expect(sortRows(rows, { column: 'value', descending: true }, keyOf).map(({ name }) => name)).toEqual([
    '',
    'layer 2',
    'layer 2',
    'layer 10',
    'Layer 9'
  ])
})

test('numbers inside of text are numbers', () => {
  expect(sortRows(rows, { column: 'name', descending: false }, keyOf).map(({ name }) => name)).toEqual([
    'layer 2',
    'layer 2',
    'Layer 9',
    'layer 10',
    ''
  ])
})

test('a heading goes one way, the other way, and back to how the rows came', () => {
  const first = nextSort(null, 'value', true)
  const second = nextSort(first, 'value', true)
  expect([orderOf(first, 'value'), orderOf(second, 'value'), nextSort(second, 'value', true)]).toEqual(['descending', 'ascending', null])
  expect(nextSort(first, 'name')).toEqual({ column: 'name', descending: false })
  expect(sortRows(rows, null, keyOf)).toBe(rows)
})
