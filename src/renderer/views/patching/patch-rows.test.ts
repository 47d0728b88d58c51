/** Grids as numbers and rows. */
import { expect, test } from 'vitest'
import type { PatchingStart } from '../../../contract/patching.ts'
import type { ShownGrid } from '../../state/patching.svelte.ts'
import { boundOf, cellOf, columnOf, keyOf, matrixOf, patchTsv, rowsOf, shownPositions } from './patch-rows.ts'

const token = (id: number) => ({ id, text: `t${id}`, special: false })
const start: PatchingStart = {
  model: { path: '/m', name: 'm' },
  tokens: [1, 2, 3].map(token),
  sourceTokens: [1, 4, 3].map(token),
  bosAdded: false,
  warnings: [],
  quantity: { kind: 'log-prob', token: token(9), other: null, position: 1 },
  base: -2,
  source: -1.5,
  layers: 2,
  heads: 2
}
const stream: ShownGrid = {
  site: 'resid_pre',
  head: null,
  axis: 'position',
  effects: [
    [0, 0.25, 0],
    [0, 'NaN', 0]
  ]
}
const heads: ShownGrid = { site: 'z', head: null, axis: 'head', effects: [[-0.5, 0.1]] }

test('positions behind the quantity are not shown, layers to come are masked', () => {
  expect(shownPositions(start)).toBe(2)
  expect([...matrixOf(stream, 2, 2, null)]).toEqual([0, 0.25, 0, Number.NaN])
  expect([...matrixOf(heads, 2, 2, 0.5)]).toEqual([-1, Math.fround(0.2), Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY])
  expect(boundOf(matrixOf(heads, 2, 2, null))).toBe(0.5)
})

test('a cell is found where it stands, and nowhere else', () => {
  for (const grid of [stream, heads, { ...stream, site: 'z' as const, head: 1 }]) {
    expect(columnOf(grid, cellOf(grid, 1, 1))).toBe(1)
  }
  expect(columnOf(heads, cellOf({ ...stream, site: 'z', head: 1 }, 1, 1))).toBe(-1)
  expect(columnOf(stream, cellOf(heads, 0, 1))).toBe(-1)
  expect(columnOf(stream, null)).toBe(-1)
})

test('rows say all of a cell, sort by effect and size, and are copied in full', () => {
  const rows = rowsOf([stream, heads], start)
  expect(rows).toHaveLength(6)
  expect(rows[1]).toMatchObject({ cell: { layer: 0, position: 1 }, base: { id: 2 }, source: { id: 4 }, effect: 0.25, normalised: 0.5 })
  expect(rows.map(row => keyOf(row, 'size'))).toEqual([0, 0.25, 0, Number.NaN, 0.5, 0.1])
  expect(rows.map(row => keyOf(row, 'effect'))).toEqual([0, 0.25, 0, Number.NaN, -0.5, 0.1])
  const lines = patchTsv([stream, heads], start)
    .split('\n')
    .map(line => line.split('\t'))
  expect(lines[2]).toEqual(['resid_pre', '0', '1', '', 't2', 't4', '0.25', '0.5', '-2', '-1.5'])
  expect(lines[5]?.slice(0, 4)).toEqual(['z', '0', '', '0'])
})
