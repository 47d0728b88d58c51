/** Cells in addresses. */
import { expect, test } from 'vitest'
import { cellOfQuery, queryOfCell } from './cell-address.ts'

test.each([
  [
    { site: 'resid_pre', layer: '2', token: '5' },
    { site: 'resid_pre', layer: 2, position: 5, head: null, from: null }
  ],
  [
    { site: 'z', layer: '0', head: '3' },
    { site: 'z', layer: 0, position: null, head: 3, from: null }
  ],
  [
    { site: 'z', layer: '0', token: '7', head: '3', from: '2' },
    { site: 'z', layer: 0, position: 7, head: 3, from: 2 }
  ]
])('%j comes back as it was written', (query, cell) => {
  expect(cellOfQuery(query)).toEqual(cell)
  const written = Object.entries(queryOfCell(cellOfQuery(query))).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]]
  )
  expect(Object.fromEntries(written)).toEqual(query)
})

test.each([
  {},
  { site: 'resid_pre' },
  { site: 'nowhere', layer: '1', token: '1' },
  { site: 'mlp_out', layer: '1', token: '1', head: '2' },
  { site: 'z', layer: '-1' }
])('%j names none', query => {
  expect(cellOfQuery(query)).toBeNull()
})
