import { describe, expect, test } from 'vitest'
import { layoutOf } from './activation-layout.ts'
import { differenceOf, magnitudesOf, statisticsOf, subtract } from './activation-statistics.ts'

const { NaN: nan, POSITIVE_INFINITY: infinity } = Number

describe('statistics', () => {
  test('run over finite values, and everything else is counted', () => {
    expect(statisticsOf(Float32Array.of(1, nan, 3, -infinity, 8, infinity, -infinity))).toEqual({
      mean: 4,
      std: Math.sqrt(13),
      min: 1,
      max: 8,
      finite: 3,
      nan: 1,
      positiveInfinity: 1,
      negativeInfinity: 2
    })
  })
  test('are undefined where nothing is finite, and a single value has no deviation', () => {
    expect(statisticsOf(Float32Array.of(nan))).toMatchObject({ mean: null, std: null, min: null, max: null, finite: 0 })
    expect(statisticsOf(Float32Array.of(7))).toMatchObject({ mean: 7, std: null, min: 7, max: 7 })
  })
  test('are the same however the values are cut into pieces', () => {
    const values = Float32Array.from({ length: 20_001 }, (_, place) =>
      place % 7 === 3 && place > 9000 ? -infinity : Math.sin(place) * (place % 100)
    )
    const finite = [...values].filter(Number.isFinite)
    const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length
    const squares = finite.reduce((sum, value) => sum + (value - mean) ** 2, 0)
    const statistics = statisticsOf(values)
    expect(statistics).toMatchObject({ finite: finite.length, negativeInfinity: values.length - finite.length, nan: 0 })
    expect(statistics.mean).toBeCloseTo(mean, 10)
    expect(statistics.std).toBeCloseTo(Math.sqrt(squares / (finite.length - 1)), 10)
    expect([statistics.min, statistics.max]).toEqual([Math.min(...finite), Math.max(...finite)])
  })
  test('do not cancel where the mean is far from zero', () => {
    const values = Float32Array.from({ length: 1000 }, (_, place) => 1e6 + (place % 2))
    expect(statisticsOf(values).std).toBeCloseTo(Math.sqrt(250 / 999), 9)
  })
})

describe('differences', () => {
  test('run over places where both are finite; the same infinity or NaN on both sides is alike', () => {
    const x = Float32Array.of(1, -infinity, nan, 5, nan, infinity)
    const y = Float32Array.of(3, -infinity, nan, 4, 0, -infinity)
    expect(differenceOf(x, y)).toEqual({ meanAbsolute: 1.5, maxAbsolute: 2, compared: 2, unlike: 2 })
    expect(differenceOf(Float32Array.of(nan), Float32Array.of(nan))).toMatchObject({ meanAbsolute: null, maxAbsolute: null, unlike: 0 })
  })
  test('keep a mask that both have and show what only one has', () => {
    expect([subtract(-infinity, -infinity), subtract(3, 1), subtract(2, 2), subtract(-infinity, 1), subtract(nan, nan)]).toEqual([
      -infinity,
      2,
      0,
      nan,
      nan
    ])
  })
})

describe('magnitudes', () => {
  test('leave special positions out of the ordinary ones, for attention queries and keys', () => {
    const stream = layoutOf([3, 2], ['position', 'feature'], false, 3)
    const special = [true, false, false]
    const values = Float32Array.of(-90, 1, 2, -3, nan, 1)
    expect(magnitudesOf(values, stream, special, null)).toMatchObject({ largest: 90, ordinary: 3 })
    const square = layoutOf([1, 2, 2], ['head', 'query', 'key'], true, 2)
    expect(magnitudesOf(Float32Array.of(9, -infinity, 8, 0.5), square, [true, false], null)).toMatchObject({ largest: 9, ordinary: 0.5 })
  })
  test('give a bound that 99% keep and little more', () => {
    const values = Float32Array.from({ length: 10_000 }, (_, place) => (place < 9900 ? (place + 1) / 9900 : 50))
    const { largest, most } = magnitudesOf(values, layoutOf([1, 10_000], ['position', 'feature'], false, 3), [], null)
    expect(largest).toBe(50)
    expect(values.filter(value => value <= Number(most)).length).toBeGreaterThanOrEqual(9900)
    expect(Number(most)).toBeLessThan(1.05)
  })
  test('of differences, and of nothing', () => {
    const layout = layoutOf([1, 2], ['position', 'feature'], false, 3)
    expect(magnitudesOf(Float32Array.of(1, 5), layout, [], Float32Array.of(4, 4))).toMatchObject({ largest: 3, ordinary: 3 })
    expect(magnitudesOf(Float32Array.of(nan, nan), layout, [], null)).toEqual({ largest: null, ordinary: null, most: null })
    expect(magnitudesOf(Float32Array.of(0, 0), layout, [], null)).toMatchObject({ largest: 0, most: 0 })
  })
})
