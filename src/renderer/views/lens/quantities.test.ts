/** What the heat map shows of cells. */
import { describe, expect, test } from 'vitest'
import type { LensLayer } from '../../../contract/logit-lens.ts'
import { largestCells } from '../../charts/heatmap/cells.ts'
import { boundOf, matrixOf, quantityOf } from './quantities.ts'

/** A layer of two positions; nothing follows the second one. */
const layer = (label: string, logProb: number, rank: number, kl: number): LensLayer => ({
  label,
  topK: [logProb, logProb].map(its => [{ id: 1, text: 'a', logit: 0, logProb: its }]),
  klToFinal: [kl, 'Infinity'],
  final: { logProbs: [logProb, null], ranks: [rank, null] },
  actual: { logProbs: [logProb, null], ranks: [rank, null] }
})

describe('values of cells', () => {
  const layers = [layer('1_pre', Math.log(0.5), 9, 2), layer('0_pre', Math.log(0.25), 99, 3)]

  test('are probabilities, nats and logarithms of ranks; what is not there is NaN', () => {
    const of = (id: string) => [...matrixOf(quantityOf(id), layers, null, 2)]
    expect(of('top')).toEqual([0.5, 0.5, 0.25, 0.25])
    expect(of('actual')).toEqual([0.5, Number.NaN, 0.25, Number.NaN])
    expect(of('final-rank')).toEqual([1, Number.NaN, 2, Number.NaN])
    expect(of('kl')).toEqual([2, Number.POSITIVE_INFINITY, 3, Number.POSITIVE_INFINITY])
  })

  test('are differences against the same layer of another variant', () => {
    const others = [layer('0_pre', Math.log(0.5), 0, 1), layer('1_pre', Math.log(0.125), 0, 5)]
    expect([...matrixOf(quantityOf('top'), layers, others, 1)]).toEqual([0.375, -0.25])
    expect([...matrixOf(quantityOf('kl'), layers, others, 2)]).toEqual([-3, Number.NaN, 2, Number.NaN])
  })

  test('have a scale that reaches as far as they do, but of a probability to one', () => {
    const values = Float32Array.of(0.25, -3, Number.NaN, Number.POSITIVE_INFINITY)
    expect(boundOf(quantityOf('top'), values, false)).toBe(1)
    expect(boundOf(quantityOf('top'), values, true)).toBe(3)
    expect(boundOf(quantityOf('kl'), values, false)).toBe(3)
  })
})

test('a cell that stands for several values has the largest, with its sign', () => {
  const values = Float32Array.of(1, -4, 2, Number.NaN, 0.5, 3, Number.NaN, Number.NaN)
  const cells = largestCells(values, { rows: 2, columns: 4 }, { rows: [0, 2], columns: [0, 4] }, { rows: 2, columns: 2 })
  expect(cells).toMatchObject({ rowsPerCell: 1, columnsPerCell: 2 })
  expect([...cells.values]).toEqual([-4, 2, 3, Number.NaN])
})

test('an unknown quantity is the first one', () => {
  expect(quantityOf('nonsense').id).toBe('top')
})
