import { describe, expect, test } from 'vitest'
import type { MaybeNumber } from '../../../contract/numbers.ts'
import type { PublishedMetrics } from '../../../contract/run.ts'
import { alarmOf, fewestPositions, fits } from './alarm.ts'

const published = (l0: number | null, explainedVariance: number | null): PublishedMetrics => ({
  l0: l0 === null ? null : { value: l0, from: 'release' },
  explainedVariance: explainedVariance === null ? null : { value: explainedVariance, from: 'release' }
})

type Figures = [l0: MaybeNumber, explainedVariance: MaybeNumber]

/** A reading over enough positions; the same with special tokens unless said otherwise. */
function reading([l0, explainedVariance]: Figures, [otherL0, other]: Figures = [l0, explainedVariance], positions = fewestPositions) {
  return { l0, explainedVariance, positions, withSpecial: { l0: otherL0, explainedVariance: other, positions: positions + 1 } }
}

const offOf = (...args: Parameters<typeof alarmOf>) => alarmOf(...args)?.off.map(({ metric }) => metric) ?? []

describe('an L0', () => {
  test.each([
    [30.1, true],
    [30, false],
    [15, false],
    [7.5, false],
    [7.4, true],
    [0, true]
  ])('of %d where 15 is published: off is %s', (l0, isOff) => {
    expect(offOf(reading([l0, 0.9]), published(15, null))).toEqual(isOff ? ['l0'] : [])
    expect(fits({ l0, explainedVariance: 0.9 }, published(15, null))).toBe(!isOff)
  })

  test('is off only where it is so with special tokens too, to the same side', () => {
    expect(offOf(reading([40, 0.9], [20, 0.9]), published(15, null))).toEqual([])
    expect(offOf(reading([40, 0.9], [5, 0.9]), published(15, null))).toEqual([])
    expect(offOf(reading([40, 0.9], [50, 0.9]), published(15, null))).toEqual(['l0'])
  })

  test('is said as measured without special tokens', () => {
    expect(alarmOf(reading([45, 0.9], [60, 0.9]), published(15, null))?.off).toEqual([
      { metric: 'l0', measured: 45, published: 15, factor: 3 }
    ])
  })
})

describe('an explained variance', () => {
  test.each([
    [0.61, false],
    [0.59, true],
    [0.95, false],
    [-3, true]
  ])('of %d where 0.8 is published leaves more than twice as much unexplained: %s', (explainedVariance, isOff) => {
    expect(offOf(reading([15, explainedVariance]), published(15, 0.8))).toEqual(isOff ? ['explained-variance'] : [])
    expect(fits({ l0: 15, explainedVariance }, published(15, 0.8))).toBe(!isOff)
  })

  test('that is published as nearly all counts as nine tenths, and one below zero as it is', () => {
    expect(offOf(reading([15, 0.81]), published(15, 0.999))).toEqual([])
    expect(offOf(reading([15, 0.79]), published(15, 0.999))).toEqual(['explained-variance'])
    expect(offOf(reading([15, -2]), published(15, -0.85))).toEqual([])
    expect(offOf(reading([15, -3]), published(15, -0.85))).toEqual(['explained-variance'])
  })

  test('is off only where it is so with special tokens too', () => {
    expect(offOf(reading([15, 0.3], [15, 0.999]), published(15, 0.999))).toEqual([])
  })

  test('below zero is off where none is published', () => {
    expect(offOf(reading([15, -0.1]), published(15, null))).toEqual(['explained-variance'])
    expect(offOf(reading([15, -0.1], [15, 0.9]), published(15, null))).toEqual([])
    expect(offOf(reading([15, 0.1]), published(null, null))).toEqual([])
  })

  test('that is no number, or undefined, is not compared', () => {
    expect(offOf(reading([15, 'NaN']), published(15, 0.9))).toEqual([])
    expect(offOf(reading([15, null]), published(15, 0.9))).toEqual([])
  })
})

test('too few tokens raise no alarm', () => {
  expect(alarmOf(reading([900, -5], [900, -5], fewestPositions - 1), published(15, 0.9))).toBeNull()
  expect(alarmOf(reading([900, -5], [900, -5], fewestPositions), published(15, 0.9))).not.toBeNull()
})

test('an alarm says its numbers', () => {
  expect(alarmOf(reading([142.13, 0.4123]), published(15.25, 0.9))).toEqual({
    off: [
      { metric: 'l0', measured: 142.13, published: 15.25, factor: expect.closeTo(9.32, 2) },
      { metric: 'explained-variance', measured: 0.4123, published: 0.9, factor: expect.closeTo(5.877, 3) }
    ],
    positions: fewestPositions,
    text: 'L0 is 142, published 15.3, 9.32 times off; explained variance is 0.412, published 0.9, 5.88 times as much unexplained, over 48 tokens'
  })
  expect(alarmOf(reading([0, 0.9]), published(15, null))).toMatchObject({
    off: [{ factor: 'Infinity' }],
    text: 'L0 is 0, published 15, over 48 tokens'
  })
})
