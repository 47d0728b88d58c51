import { expect, test } from 'vitest'
import { exact, measureOf, parseNumber, parseStrengths, positionChoices, scaleOf } from './lever-scale.ts'

test('activations are measured by the known maximum, else by the largest seen', () => {
  expect([measureOf(8, 3), measureOf(null, 3), measureOf(0, 0)]).toEqual([
    { value: 8, from: 'known' },
    { value: 3, from: 'seen' },
    { value: 10, from: 'none' }
  ])
})

test('a slider goes as far as a lever should', () => {
  const measure = measureOf(8.2, null)
  const bounds = (kind: 'scale' | 'set' | 'steer') => {
    const { least, most, start } = scaleOf(kind, measure)
    return [least, most, start]
  }
  expect(bounds('scale')).toEqual([0, 4, 2])
  expect(bounds('set')).toEqual([0, 12.3, 8.2])
  expect(bounds('steer')).toEqual([-16.4, 16.4, 8.2])
  expect(exact(0.1 + 0.2)).toBe(0.3)
})

test.each([
  ['-1x, 0, +1x, +2x', [-1, 0, 1, 2]],
  ['−1 .5', [-1, 0.5]],
  ['1, 1', [1]],
  ['', null],
  ['1, strong', null]
])('strengths %j are %j', (text, expected) => {
  expect(parseStrengths(text)).toEqual(expected)
})

test.each([
  ['-8.5', -8.5],
  [' 2 ', 2],
  ['1e2', 100],
  ['2x', null],
  ['', null]
])('the number %j is %j', (text, expected) => {
  expect(parseNumber(text)).toBe(expected)
})

test('positions in force can always be chosen', () => {
  const labels = (...args: Parameters<typeof positionChoices>) => positionChoices(...args).map(({ label }) => label)
  expect(labels(5, null, 'all')).toEqual(['all tokens', 'all but special tokens', 'token 5 alone', 'from token 5 on'])
  expect(labels(null, 9, [[2, 4]])).toEqual(['all tokens', 'all but special tokens', 'from the first new token on', 'tokens 2:4'])
})
