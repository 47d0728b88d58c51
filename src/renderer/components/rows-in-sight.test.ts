import { expect, test } from 'vitest'
import { rowsInSight, scrollToRow } from './rows-in-sight.ts'

test('rows in sight and some around them are drawn, and room stands for the others', () => {
  expect(rowsInSight(1000, 20, 4000, 200, 2)).toEqual({ start: 198, end: 212, before: 3960, after: 788 * 20 })
  expect(rowsInSight(1000, 20, 0, 200, 2)).toEqual({ start: 0, end: 12, before: 0, after: 988 * 20 })
  expect(rowsInSight(3, 20, 0, 200)).toEqual({ start: 0, end: 3, before: 0, after: 0 })
})

test('a list that became shorter than its scroll place draws its end', () => {
  const { start, end, before, after } = rowsInSight(10, 20, 4000, 200, 2)
  expect({ start, end, before, after }).toEqual({ start: 8, end: 10, before: 160, after: 0 })
})

test('a row is scrolled to only as far as it takes', () => {
  expect([scrollToRow(50, 20, 900, 200), scrollToRow(10, 20, 900, 200), scrollToRow(60, 20, 900, 200)]).toEqual([900, 200, 1020])
  expect(scrollToRow(60, 20, 900, 200, 24)).toBe(1044)
})
