/** The classic mistake is mixing up i and i - 1: these tests hold the prediction of a token to the position that made it. */
import { describe, expect, test } from 'vitest'
import type { PredictedToken, RunResult } from '../../../contract/run.ts'
import { klInto, predictionsOf } from './prediction.ts'

const guess = (id: number): PredictedToken => ({ id, text: `t${id}`, logit: 0, logProb: -1 })

/** Three tokens; what position p predicts is named by ids 100 + p (clean) and 200 + p (spliced). */
const result: RunResult = {
  model: { path: '/model', name: 'model' },
  tokens: [0, 1, 2].map(id => ({ id, text: `t${id}`, special: id === 0 })),
  bosAdded: true,
  processing: [],
  processingFrom: 'unknown',
  processingReason: '',
  layerOrder: 'checkpoint',
  variants: [
    { name: 'clean', loss: 2, logProbs: [null, -1, -3], ranks: [null, 0, 4], topK: [[guess(100)], [guess(101)], [guess(102)]] },
    { name: 'spliced', loss: 3, logProbs: [null, -2, -4], ranks: [null, 1, 9], topK: [[guess(200)], [guess(201)], [guess(202)]] }
  ],
  comparison: [{ variant: 'spliced', klDivergence: [0.1, 0.2, 0.3], meanKl: 0.25, positions: 2, lossIncrease: 1 }],
  saes: [],
  provider: 'cpu',
  providerReason: '',
  warnings: [],
  milliseconds: { load: 0, compile: 0, run: 0 }
}

describe('the prediction of a position', () => {
  test('takes log-prob and rank from the token itself, top-k and KL from the position before', () => {
    expect(predictionsOf(result, 2)).toEqual([
      { variant: 'clean', logProb: -3, rank: 4, topK: [guess(101)], klDivergence: null },
      { variant: 'spliced', logProb: -4, rank: 9, topK: [guess(201)], klDivergence: 0.2 }
    ])
  })

  test('is empty for the first token', () => {
    expect(predictionsOf(result, 0)).toEqual([])
  })

  test('after the last token has no actual token, but the last top-k and KL', () => {
    expect(predictionsOf(result, 3)[1]).toEqual({ variant: 'spliced', logProb: null, rank: null, topK: [guess(202)], klDivergence: 0.3 })
  })

  test('has no KL for clean nor for the first token', () => {
    expect([klInto(result, 'clean', 2), klInto(result, 'spliced', 0)]).toEqual([null, null])
  })
})
