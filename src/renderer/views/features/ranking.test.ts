import { expect, test } from 'vitest'
import { activationsOf, matrixOf, rankFeatures, type SparseFeatures } from './ranking.ts'

/** Position 0 (say BOS): 7 at 90; 1: 3 at 4, 5 at 1; 2: 5 at 2, 3 at 1.5, 9 at 1; 3: nothing; 4: 5 at 3. */
const sparse: SparseFeatures = {
  starts: Int32Array.of(0, 1, 3, 6, 6, 7),
  features: Int32Array.of(7, 3, 5, 5, 3, 9, 5),
  activations: Float32Array.of(90, 4, 1, 2, 1.5, 1, 3)
}
const words = [1, 2, 3, 4]

test('by the largest activation over the chosen tokens, with where it is', () => {
  expect(rankFeatures(sparse, words, 'max')).toEqual([
    { index: 3, max: 4, at: 1, mean: 5.5 / 4, count: 2 },
    { index: 5, max: 3, at: 4, mean: 6 / 4, count: 3 },
    { index: 9, max: 1, at: 2, mean: 1 / 4, count: 1 }
  ])
})

test('by the mean, in which tokens without the feature count as zero, and by how many it fires on', () => {
  expect(rankFeatures(sparse, words, 'mean').map(({ index }) => index)).toEqual([5, 3, 9])
  expect(rankFeatures(sparse, [1, 2], 'count').map(({ index, count }) => [index, count])).toEqual([
    [3, 2],
    [5, 2],
    [9, 1]
  ])
})

test('tokens that are not chosen do not count', () => {
  expect(rankFeatures(sparse, [0, 1, 2, 3, 4], 'max')[0]).toMatchObject({ index: 7, max: 90, at: 0 })
  expect(rankFeatures(sparse, [3], 'max')).toEqual([])
  expect(rankFeatures(sparse, [], 'mean')).toEqual([])
})

test('a feature over all tokens, and several over some', () => {
  expect([...activationsOf(sparse, 5)]).toEqual([0, 1, 2, 0, 3])
  expect([...matrixOf(sparse, [5, 3], [1, 2, 4])]).toEqual([1, 2, 3, 4, 1.5, 0])
})
