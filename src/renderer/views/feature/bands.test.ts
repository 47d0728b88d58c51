import { expect, test } from 'vitest'
import type { FeatureExample } from '../../../contract/explanations.ts'
import { bandsOf, shareAbove } from './bands.ts'

function exampleOf(value: number): FeatureExample {
  return { tokens: ['a', 'b'], values: [0, value], maxValue: value, maxValueTokenIndex: 1 }
}

/** Bins [0, 2), [2, 4), [4, 6). */
const histogram = [
  { value: 1, count: 60 },
  { value: 3, count: 30 },
  { value: 5, count: 10 }
]

test('the share above a value counts whole bins beyond it and a part of its own', () => {
  expect([0, 2, 3, 4, 5, 6].map(value => shareAbove(histogram, value))).toEqual([1, 0.4, 0.25, 0.1, 0.05, 0])
  expect([shareAbove([], 1), shareAbove([{ value: 1, count: 2 }], 1)]).toEqual([null, null])
})

test('examples fall into fifths of the maximum, upper ends included, the strongest band first', () => {
  const bands = bandsOf([10, 8.01, 8, 2, 0, -1].map(exampleOf), 10, [])
  expect(bands.map(({ from, to, examples }) => [from, to, examples.map(({ number }) => number)])).toEqual([
    [0.8, 1, [0, 1]],
    [0.6, 0.8, [2]],
    [0, 0.2, [3, 4, 5]]
  ])
  expect(bands[0]?.above).toBeNull()
})

test('a band says what share of the firings is stronger than its lower end', () => {
  const [top] = bandsOf([exampleOf(5)], 5, histogram)
  expect(top?.above).toBeCloseTo(0.1)
})
