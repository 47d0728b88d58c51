import { expect, test } from 'vitest'
import {
  formatActivation,
  formatBytes,
  formatDifference,
  formatDuration,
  formatNats,
  formatProbability,
  formatShare,
  fullValue
} from './numbers.ts'

test('nats have 3 decimals and no negative zero', () => {
  expect([-0.0313, -0.0001, 2, null, 'NaN', '-Infinity'].map(value => formatNats(value as number))).toEqual([
    '-0.031',
    '0.000',
    '2.000',
    '–',
    'NaN',
    '-∞'
  ])
})

test('differences carry their sign, zero none', () => {
  expect([0.267, -0.5, 0.0001, 0].map(formatDifference)).toEqual(['+0.267', '-0.500', '0.000', '0.000'])
})

test('probabilities are per cent with 1 decimal, below 0.1% in scientific form', () => {
  expect([Math.log(0.971), Math.log(0.0009), 0].map(formatProbability)).toEqual(['97.1%', '9.0e-2%', '100.0%'])
  expect(formatProbability('-Infinity')).toBe('0%')
})

test('shares of a maximum read like probabilities', () => {
  expect([0.34, 0, 1.204].map(formatShare)).toEqual(['34.0%', '0%', '120.4%'])
})

test('activations have 2 decimals', () => {
  expect(formatActivation(126.2999)).toBe('126.30')
})

test('bytes are in decimal units', () => {
  expect([999, 1_200_000_000, 4_850_000, 123_456_789].map(formatBytes)).toEqual(['999 B', '1.2 GB', '4.8 MB', '123 MB'])
})

test('copied text is the whole value, empty where there is none', () => {
  expect([-2.4101234567, null, undefined, 'NaN' as const].map(fullValue)).toEqual(['-2.4101234567', '', '', 'NaN'])
})

test('durations are said in the largest units that matter', () => {
  expect([0.04, 0.1, 9.94, 9.96, 59.4, 59.6, 3599, 3600, 7500].map(formatDuration)).toEqual([
    '< 0.1 s',
    '0.1 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1 min 0 s',
    '59 min 59 s',
    '1 h 0 min',
    '2 h 5 min'
  ])
})
