import { expect, test } from 'vitest'
import { hitsTsv } from './hits-tsv.ts'

test('hits become one line each, with quotation marks and tabs made safe for a spreadsheet', () => {
  const hit = {
    id: 'a1',
    model: 'demo-gemma2-tiny',
    layer: '2-demo-res-1k',
    index: 491,
    description: 'references to the word "will",\tin scratchpads',
    explainer: 'demo-rules-v1',
    type: null,
    density: null,
    matches: []
  }
  const [header, row, ...rest] = hitsTsv([hit]).split('\n')
  expect(header?.split('\t')).toEqual(['model', 'source', 'feature', 'explanation', 'explainer', 'type', 'id'])
  expect(row?.split('\t')).toEqual([
    'demo-gemma2-tiny',
    '2-demo-res-1k',
    '491',
    '"references to the word ""will"",\\tin scratchpads"',
    'demo-rules-v1',
    '',
    'a1'
  ])
  expect(rest).toEqual([])
})
