import { expect, test } from 'vitest'
import type { RunResult } from '../../../contract/run.ts'
import { reordered } from '../../state/variant-places.ts'
import { differenceAt, positionsThatDiffer } from './difference-filter.ts'

const token = (id: number) => ({ id, text: `t${id}`, special: id === 0 })
const variant = (name: string, logProbs: (number | null)[]) => ({ name, loss: 1, logProbs, ranks: [null, 0, 0, 0], topK: [[], [], [], []] })
const result = {
  tokens: [token(0), token(1), token(2), token(3)],
  variants: [variant('clean', [null, -1, -2, -3]), variant('a', [null, -1.05, -2, -5]), variant('b', [null, -1, -1.5, -3])],
  comparison: [
    { variant: 'a', klDivergence: [0.2, 0, 0.5, 0.01], meanKl: 0, positions: 3, lossIncrease: 0 },
    { variant: 'b', klDivergence: [0, 0.3, 0, 0], meanKl: 0, positions: 3, lossIncrease: 0 }
  ]
} as unknown as RunResult

test('in nats, of any variant against the first one', () => {
  const nats = { measure: 'log-prob', unit: 'nats' } as const
  expect(positionsThatDiffer(result, { ...nats, least: 0.1 })).toEqual([2, 3])
  expect(positionsThatDiffer(result, { ...nats, least: 1 })).toEqual([3])
  expect(positionsThatDiffer(reordered(result, ['b']), { ...nats, least: 0.1 })).toEqual([2, 3])
  expect(differenceAt(reordered(result, ['b']), 'a', 2, nats)).toBeCloseTo(0.5, 12)
})

test('in per cent of the baseline probability', () => {
  const percent = { measure: 'log-prob', unit: 'percent' } as const
  expect(differenceAt(result, 'b', 2, percent)).toBeCloseTo(100 * (Math.exp(0.5) - 1), 9)
  expect(differenceAt(result, 'a', 1, percent)).toBeCloseTo(100 * (1 - Math.exp(-0.05)), 9)
  expect(positionsThatDiffer(result, { ...percent, least: 4 })).toEqual([1, 2, 3])
  expect(positionsThatDiffer(result, { ...percent, least: 70 })).toEqual([3])
})

test('KL belongs to the prediction of a position, so the one after the last token counts too', () => {
  expect(positionsThatDiffer(result, { measure: 'kl', unit: 'nats', least: 0.1 })).toEqual([1, 2, 3])
  expect(positionsThatDiffer(result, { measure: 'kl', unit: 'nats', least: 0.01 })).toEqual([1, 2, 3, 4])
})
