import { expect, test } from 'vitest'
import { parseRanges, rangesText } from './token-ranges.ts'

test('ranges have both ends inside, and overlap without harm', () => {
  expect(parseRanges('3-5, 12,4', 20)).toEqual([3, 4, 5, 12])
  expect(parseRanges('0:2', 20)).toEqual([0, 1, 2])
  expect(parseRanges(' ', 20)).toEqual([])
})

test.each(['5-3', 'a', '3-', '20', '1-20', '-1', '1 2'])('%s is not a choice of 20 tokens', text => {
  expect(parseRanges(text, 20)).toBeNull()
})

test('positions are written as they are read', () => {
  expect(rangesText([0, 1, 2, 7, 9, 10])).toBe('0-2, 7, 9-10')
  expect(parseRanges(rangesText([0, 1, 2, 7, 9, 10]), 11)).toEqual([0, 1, 2, 7, 9, 10])
  expect(rangesText([])).toBe('')
})
