import { expect, test } from 'vitest'
import { describeProgress, type EvaluationResult, saelensMetrics } from '../../../contract/evaluation.ts'
import { evaluationSummary, evaluationTsv, fileNameOf, lossRows, reconstructionRows, saelensRows } from './evaluation-rows.ts'

const names = Object.keys(saelensMetrics.shape)
const metricsFrom = (first: number) => saelensMetrics.parse(Object.fromEntries(names.map((name, at) => [name, first + at / 8])))
const result: EvaluationResult = {
  tokens: 100,
  positions: 96,
  predictions: 90,
  l0: 15.25,
  l1: 40,
  squaredError: 64,
  mse: 0.5,
  explainedVariance: 0.88381,
  cosineSimilarity: 'NaN',
  ceClean: 2,
  ceSpliced: 2.25,
  ceZeroAblated: 12,
  ceScore: 0.975,
  klDivergence: 0.125,
  klZeroAblated: null,
  sequences: 4,
  features: { total: 1024, fired: 1022 },
  saelens: { all_tokens: metricsFrom(1), exclude_special_tokens: metricsFrom(101), batch_size_prompts: 16 },
  featureDensity: null,
  model: { path: '/m', name: 'm' },
  sae: { name: 's', path: '/s', hook: 'h', hookOut: null, normFactor: null, notes: [] },
  corpus: { kind: 'ids', file: '/f.json' },
  splicePositions: 'all',
  context: 128,
  idsLeftOut: 0,
  specialIds: [2],
  processing: [],
  processingReason: '',
  layerOrder: 'checkpoint',
  provider: 'cpu',
  providerReason: '',
  warnings: [],
  seconds: 1
}

test('what is shown has its digits, its differences and its undefined numbers', () => {
  expect(reconstructionRows(result).map(({ name, text }) => `${name} ${text}`)).toEqual([
    'L0 15.25',
    'L1 40',
    'MSE 0.5000',
    'explained variance 0.8838',
    'cosine NaN',
    'features fired 1,022 of 1,024'
  ])
  expect(lossRows(result)).toEqual([
    { name: 'clean', loss: '2.000', increase: '', kl: '' },
    { name: 'spliced', loss: '2.250', increase: '+0.250', kl: '0.125' },
    { name: 'zero ablated', loss: '12.000', increase: '+10.000', kl: '–' }
  ])
  expect(saelensRows(result).map(({ name }) => name)).toEqual(names)
  expect(saelensRows(result)[0]).toEqual({ name: 'kl_div_score', all: 1, excluding: 101 })
})

test('what is copied is whole, unrounded, and says by whose definition', () => {
  const lines = evaluationTsv(result).split('\n')
  expect(lines[0]).toBe('metric\tdefinition\ttokens\tvalue')
  expect(lines).toHaveLength(1 + 12 + 2 * names.length)
  expect(lines).toContain('explainedVariance\ttextbook\tspecial tokens left out\t0.88381')
  expect(lines).toContain('klZeroAblated\ttextbook\tspecial tokens left out\t')
  expect(lines).toContain('l1\tSAELens\tall tokens\t3')
  expect(lines).toContain('l1\tSAELens\tspecial tokens left out\t103')
})

test('progress is said as far as it is known', () => {
  const progress = { type: 'progress', stage: 'running', tokens: 12_345, fraction: 0.1 } as const
  const known = { totalTokens: 100_000, totalIsExact: false, tokensPerSecond: 210.4, secondsLeft: 416.2 }
  expect(describeProgress({ ...progress, ...known })).toBe('12,345 of about 100,000 tokens, 210 tokens/s, 6:57 left')
  expect(describeProgress({ ...progress, ...known, totalIsExact: true, secondsLeft: 7384 })).toBe(
    '12,345 of 100,000 tokens, 210 tokens/s, 2:03:04 left'
  )
  const nothing = { totalTokens: null, totalIsExact: false, tokensPerSecond: null, secondsLeft: null }
  expect(describeProgress({ ...progress, ...nothing, tokens: 0 })).toBe('0 tokens')
})

test('the line of an SAE says what matters most, and on which file', () => {
  expect(evaluationSummary(result)).toBe('L0 15.25, explained variance 0.8838, loss +0.250')
  const on = (file: string) => fileNameOf({ ...result, corpus: { kind: 'ids', file } })
  expect([on('/texts/held-out.json'), on('C:\\texts\\a.json'), on('a.json')]).toEqual(['held-out.json', 'a.json', 'a.json'])
})
