import { expect, test } from 'vitest'
import { breakLines } from './strip-lines.ts'

test('columns fill a line up to the width that is there', () => {
  expect(breakLines([10, 10, 10, 10], 30)).toEqual([
    { start: 0, end: 3 },
    { start: 3, end: 4 }
  ])
})

test('a column wider than the line stands alone', () => {
  expect(breakLines([10, 99, 10], 30)).toEqual([
    { start: 0, end: 1 },
    { start: 1, end: 2 },
    { start: 2, end: 3 }
  ])
})

test('the first line leaves room for the numbers beside it', () => {
  expect(breakLines([10, 10, 10, 10, 10], 30, 20)).toEqual([
    { start: 0, end: 2 },
    { start: 2, end: 5 }
  ])
})

test('no columns are no lines', () => {
  expect(breakLines([], 30)).toEqual([])
})
