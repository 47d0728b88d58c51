import { expect, test } from 'vitest'
import type { ActiveFeature, RunResult } from '../../../../contract/run.ts'
import { hasMaxima, mostFeatures, rankedFeatures, readingOf, sortedPositions, type TableChoice, tokenRow } from './token-rows.ts'
import { tokensTsv } from './tokens-tsv.ts'

const feature = (
  index: number,
  activation: ActiveFeature['activation'],
  maxActivation: number | null,
  ...said: string[]
): ActiveFeature => ({
  index,
  activation,
  maxActivation,
  explanations: said.map(description => ({ description, explainer: 'reader' }))
})

const result: RunResult = {
  model: { path: '/m', name: 'm' },
  tokens: [
    { id: 2, text: '<bos>', special: true },
    { id: 30, text: ' worm', special: false },
    { id: 9, text: '"', special: false },
    { id: 12, text: '\n', special: false }
  ],
  bosAdded: true,
  processing: [],
  processingFrom: 'unknown',
  processingReason: '',
  layerOrder: 'checkpoint',
  variants: [
    { name: 'clean', loss: 1, logProbs: [null, -3.25, -0.1234567890123, -1], ranks: [null, 1, 0, 2], topK: [[], [], [], []] },
    { name: 'spliced', loss: 2, logProbs: [null, -4, 'NaN', -0.5], ranks: [null, 1, null, 2], topK: [[], [], [], []] }
  ],
  comparison: [],
  saes: [
    {
      name: 'one',
      hook: 'blocks.2.hook_resid_post',
      hookOut: null,
      format: 'gemma-scope',
      dIn: 4,
      dSae: 16,
      release: null,
      normFactor: null,
      notes: [],
      published: { l0: null, explainedVariance: null },
      alarm: null,
      path: '/sae',
      source: 'model/2-res',
      sourceChosenByHand: false,
      byVariant: {
        clean: {
          l0: 2,
          mse: 0,
          explainedVariance: 1,
          cosineSimilarity: 1,
          positions: 3,
          active: [2, 2, 2, 2],
          withSpecial: { l0: 2, explainedVariance: 1, positions: 4 },
          features: [
            [feature(1, 900, 1000)],
            [feature(7, 10, 100, 'time travel', 'holes'), feature(8, 5, 10), feature(9, 4, null, 'unknown maximum')],
            [],
            [feature(8, 2, 10)]
          ]
        }
      }
    }
  ],
  provider: 'cpu',
  providerReason: '',
  warnings: [],
  milliseconds: { load: 0, compile: 0, run: 0 }
}
const choice: TableChoice = {
  sae: 'one',
  variant: 'clean',
  ranking: 'activation',
  count: 3,
  hideSpecial: false,
  sort: { column: 'position', descending: false }
}

test('features keep the order of activation, or rank by their share of the known maximum with unknown ones last', () => {
  const features = result.saes[0]!.byVariant.clean!.features[1]!
  expect(rankedFeatures(features, 'activation').map(({ index, share }) => [index, share])).toEqual([
    [7, 0.1],
    [8, 0.5],
    [9, null]
  ])
  expect(rankedFeatures(features, 'share').map(({ index }) => index)).toEqual([8, 7, 9])
  expect(rankedFeatures(features, 'share', 1).map(({ index }) => index)).toEqual([8])
})

test('a row carries the log-prob of its own token in every variant, and its own features', () => {
  const row = tokenRow(result, 1, readingOf(result, choice), choice)
  expect(row?.logProbs).toEqual([-3.25, -4])
  expect(row?.features.map(({ index, explanations }) => [index, explanations.length])).toEqual([
    [7, 2],
    [8, 0],
    [9, 1]
  ])
  expect(tokenRow(result, 4, readingOf(result, choice), choice)).toBeNull()
})

test('rows sort by any column; undefined numbers come last in both directions', () => {
  const by = (sort: TableChoice['sort']) => sortedPositions(result, { ...choice, sort })
  expect(by({ column: 'position', descending: true })).toEqual([3, 2, 1, 0])
  expect(by({ column: 'id', descending: false })).toEqual([0, 2, 3, 1])
  expect(by({ column: 'text', descending: false })).toEqual([3, 1, 2, 0])
  expect(by({ column: 0, descending: true })).toEqual([2, 3, 1, 0])
  expect(by({ column: 1, descending: false })).toEqual([1, 3, 0, 2])
  expect(by({ column: 'features', descending: true })).toEqual([0, 1, 3, 2])
  expect(sortedPositions(result, { ...choice, ranking: 'share', sort: { column: 'features', descending: true } })).toEqual([0, 1, 3, 2])
})

test('special tokens can be hidden', () => {
  expect(sortedPositions(result, { ...choice, hideSpecial: true })).toEqual([1, 2, 3])
})

test('a reading tells how many features it lists and whether maxima are known', () => {
  const reading = readingOf(result, choice)
  expect([mostFeatures(reading), hasMaxima(reading)]).toEqual([3, true])
  expect(readingOf(result, { sae: 'gone', variant: 'clean' })).toBeNull()
  expect([mostFeatures(null), hasMaxima(null)]).toEqual([0, false])
})

test('the table copies one row per token and feature, unrounded, with awkward text made safe', () => {
  const lines = tokensTsv(result, { ...choice, count: 2, hideSpecial: true }).split('\n')
  expect(lines.map(line => line.split('\t'))).toEqual([
    [
      'position',
      'id',
      'text',
      'log-prob clean (nats)',
      'log-prob spliced (nats)',
      'SAE',
      'source',
      'read in',
      'place',
      'feature',
      'activation',
      'known maximum',
      'share of maximum',
      'explanations',
      'explanation',
      'explainer'
    ],
    [
      '1',
      '30',
      ' worm',
      '-3.25',
      '-4',
      'one',
      'model/2-res',
      'clean',
      '0',
      '7',
      '10',
      '100',
      '0.1',
      '2',
      'time travel | holes',
      'reader | reader'
    ],
    ['1', '30', ' worm', '-3.25', '-4', 'one', 'model/2-res', 'clean', '1', '8', '5', '10', '0.5', '0', '', ''],
    ['2', '9', '""""', '-0.1234567890123', 'NaN', 'one', 'model/2-res', 'clean', '', '', '', '', '', '', '', ''],
    ['3', '12', '\\n', '-1', '-0.5', 'one', 'model/2-res', 'clean', '0', '8', '2', '10', '0.2', '0', '', '']
  ])
})

test('without an SAE the table copies tokens and log-probs alone', () => {
  const lines = tokensTsv(result, { ...choice, sae: 'gone' }).split('\n')
  expect(lines[0]?.split('\t')).toHaveLength(5)
  expect(lines).toHaveLength(5)
})
