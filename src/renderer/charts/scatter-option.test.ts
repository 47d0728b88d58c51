import { expect, test } from 'vitest'
import type { PositionSeries } from './position-series.ts'
import { nearestPoint, scatterPoints } from './scatter-option.ts'

const variant = (name: string, logProbs: (number | null | '-Infinity')[]) => ({
  name,
  color: '--variant-1',
  dashed: false,
  number: 1,
  logProbs,
  klDivergence: []
})
const series: PositionSeries = {
  tokens: [0, 1, 2].map(id => ({ id, text: 't', special: false })),
  variants: [variant('clean', [null, -1, -2]), variant('a', [null, -1.5, '-Infinity']), variant('b', [null, -0.5, -3])],
  l0: []
}

test('a point per token and variant against the first one, where both are finite', () => {
  expect(scatterPoints(series)).toEqual([
    { variant: 'a', position: 1, x: -1, y: -1.5 },
    { variant: 'b', position: 1, x: -1, y: -0.5 },
    { variant: 'b', position: 2, x: -2, y: -3 }
  ])
})

test('the nearest point within reach', () => {
  const points = scatterPoints(series)
  const pixelOf = ({ x, y }: { x: number; y: number }) => [x * 10, y * 10] as const
  expect(nearestPoint(points, { x: -18, y: -29 }, pixelOf, 5)).toMatchObject({ variant: 'b', position: 2 })
  expect(nearestPoint(points, { x: -18, y: -29 }, pixelOf, 2)).toBeNull()
})
