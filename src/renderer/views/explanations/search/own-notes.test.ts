import { describe, expect, test } from 'vitest'
import { matchesIn, ownHits } from './own-notes.ts'
import { noQuestion } from './question.ts'

describe('a note', () => {
  test.each([
    [
      'substring',
      'decept',
      'Self-Deception and decepts',
      [
        [5, 11],
        [19, 25]
      ]
    ],
    ['substring', 'a.b', 'aXb', null],
    ['substring', '', 'anything', null],
    [
      'words',
      'time travel',
      'travel through time',
      [
        [0, 6],
        [15, 19]
      ]
    ],
    [
      'words',
      'time AND travel NOT worm',
      'time travel, no worm',
      [
        [0, 4],
        [5, 11]
      ]
    ],
    ['words', 'time space', 'time alone', null],
    ['substring', 'größe', 'GRÖSSE, Größe', [[8, 13]]]
  ] as const)('searched %s for “%s”: %s', (mode, query, note, found) => {
    expect(matchesIn(note, query, mode)).toEqual(found)
  })
})

test('features are found by their notes, within what the question is narrowed to', () => {
  const entry = (source: string, index: number, text: string | null) => ({
    source,
    index,
    note: text === null ? null : { text, changedAt: 1 },
    lists: [],
    addedAt: null,
    explanation: null
  })
  const entries = [
    entry('gemma/3-res-16k', 1, 'lies'),
    entry('gpt2/3-res-16k', 2, 'lies'),
    entry('gemma/4-mlp', 3, 'lies'),
    entry('gemma/4-mlp', 4, null)
  ]
  const asked = { ...noQuestion, query: 'LIES' }
  const indices = (question: typeof asked) => ownHits(entries, question).map(({ index }) => index)
  expect(indices(asked)).toEqual([1, 2, 3])
  expect(indices({ ...asked, model: 'gemma' })).toEqual([1, 3])
  expect(indices({ ...asked, release: 'res-16k' })).toEqual([1, 2])
  expect(indices({ ...asked, source: '4-mlp' })).toEqual([3])
  expect(indices({ ...asked, source: 'gpt2/3-res-16k' })).toEqual([2])
})
