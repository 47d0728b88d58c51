import { expect, test } from 'vitest'
import { keptQuestion } from '../../../../contract/notebook.ts'
import { hashOf, parseHash } from '../../../state/route.ts'
import {
  addressOf,
  filterWords,
  hasSameHits,
  isFiltered,
  noQuestion,
  type Question,
  questionOf,
  readAddress,
  requestOf,
  sortHits
} from './question.ts'

const everything: Question = {
  query: 'time & "travel"',
  mode: 'words',
  model: 'gemma-2-2b',
  release: 'gemmascope-res-16k',
  source: 'gemma-2-2b/20-gemmascope-res-16k',
  explainer: 'gpt-4o-mini',
  type: 'oai_token-act-pair',
  layers: { from: 3, to: 12 },
  density: { from: 0.001, to: null },
  hasStatistics: false,
  sort: { column: 'density', descending: true }
}

test('the address carries all of a question, and says nothing of what asks for anything', () => {
  const through = (question: Question) => readAddress(parseHash(hashOf('explanations', [], addressOf(question))).query)
  for (const question of [everything, noQuestion, { ...everything, layers: { from: null, to: 0 }, hasStatistics: true, sort: null }]) {
    expect(through(question)).toEqual(question)
  }
  expect(addressOf(noQuestion)).toEqual({})
  expect(readAddress({ layers: 'x~y', sort: 'nothing', statistics: 'maybe' })).toEqual(noQuestion)
})

test('the engine is asked only for what is asked for, and a kept question comes back', () => {
  expect(requestOf({ ...noQuestion, query: 'a' })).toEqual({ query: 'a', mode: 'substring' })
  const kept = keptQuestion.parse(requestOf(everything))
  expect(kept.density).toEqual({ from: 0.001 })
  expect(questionOf(kept)).toEqual({ ...everything, sort: null })
})

test('an order changes no hits, a filter does', () => {
  expect(hasSameHits(everything, { ...everything, sort: null })).toBe(true)
  expect(hasSameHits(everything, { ...everything, type: '' })).toBe(false)
  expect([
    isFiltered(noQuestion),
    isFiltered({ ...noQuestion, query: 'a' }),
    isFiltered({ ...noQuestion, layers: { from: 0, to: null } })
  ]).toEqual([false, false, true])
})

test('hits are sorted by numbers as numbers; unknown values come last either way; equal ones stay in order', () => {
  const hit = (id: string, layer: string, index: number, density: number | null) => ({
    id,
    model: 'm',
    layer,
    index,
    density,
    description: id,
    explainer: null,
    type: null,
    matches: []
  })
  const hits = [hit('a', '10-x', 5, null), hit('b', '2-x', 50, 0.2), hit('c', 'odd', 6, 0.1), hit('d', '2-x', 5, 0.3)]
  const order = (column: 'layer' | 'index' | 'density' | 'source', descending = false) =>
    sortHits(hits, { column, descending })
      .map(({ id }) => id)
      .join('')
  expect([order('layer'), order('layer', true), order('index'), order('density'), order('density', true), order('source')]).toEqual([
    'bdac',
    'abdc',
    'adcb',
    'cbda',
    'dbca',
    'bdac'
  ])
})

test('what a question is narrowed to is said in words', () => {
  expect(filterWords(everything)).toBe(
    'gemma-2-2b/20-gemmascope-res-16k, layers 3 to 12, gpt-4o-mini, oai_token-act-pair, density from 0.1%, without statistics'
  )
  expect(filterWords({ ...noQuestion, model: 'm', release: 'r', layers: { from: 4, to: 4 } })).toBe('m r, layers 4')
  expect(filterWords(noQuestion)).toBe('')
})
