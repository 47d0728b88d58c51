import { expect, test } from 'vitest'
import type { SaeTry } from '../../../contract/sae-check.ts'
import { changesIn, timesOf, tokensOf, triesTsv } from './check-words.ts'

test('a change says each thing that it makes', () => {
  expect(changesIn({ hook: 'blocks.1.hook_resid_post', processing: [] })).toEqual(['read blocks.1.hook_resid_post', 'processing none'])
  expect(changesIn({ normFactor: null, prependBos: false, metricPositions: 'all' })).toEqual([
    'its own norm factor',
    'leave BOS out',
    'count special tokens'
  ])
  expect(changesIn({ hookOut: 'blocks.1.hook_mlp_out', normFactor: 0.123456, prependBos: true, metricPositions: 'no-special' })).toEqual([
    'write blocks.1.hook_mlp_out',
    'norm factor 0.1235',
    'put BOS in front',
    'leave special tokens out of metrics'
  ])
  expect(changesIn({ processing: ['fold_ln', 'center_unembed'] })).toEqual(['processing fold_ln, center_unembed'])
})

test('how many times a figure is off', () => {
  expect([1, 3.1689, 1234.5, 'Infinity', 'NaN', null].map(value => timesOf(value as number))).toEqual([
    '1.00×',
    '3.17×',
    '1235×',
    '∞',
    '',
    ''
  ])
})

test('a try as cells', () => {
  const tried: SaeTry = {
    ...{ hook: 'blocks.0.hook_resid_post', hookOut: null, processing: [], normFactor: null, bos: 'left-out', counted: 'all' },
    ...{ l0: 4.8188, explainedVariance: 0.25, positions: 55, l0Factor: 3.17, unexplainedFactor: null },
    ...{ fits: false, isPresent: true, isOwnPlace: false }
  }
  expect(tokensOf(tried)).toBe('BOS left out, special counted')
  expect(tokensOf({ bos: 'as-given', counted: 'no-special' })).toBe('special left out')
  expect(
    triesTsv({ tries: [tried] })
      .split('\n')[1]
      ?.split('\t')
  ).toEqual([...['blocks.0.hook_resid_post', '', 'none', '', 'left-out', 'counted', '4.8188', '3.17', '0.25', '', '55', 'no', 'yes']])
})
