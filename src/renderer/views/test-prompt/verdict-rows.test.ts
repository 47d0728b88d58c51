import { describe, expect, test } from 'vitest'
import type { AnswerResult, AnswersResult, TokenVerdict } from '../../../contract/answers.ts'
import { answersTsv, groupsOf, guessesOf } from './verdict-rows.ts'

const verdict = (name: string, logProb: TokenVerdict['logProb'], rank = 0): TokenVerdict => ({
  name,
  rank,
  logit: 3,
  probability: typeof logProb === 'number' ? Math.exp(logProb) : null,
  logProb,
  topK: [{ id: 7, text: ' hole', logit: 4, probability: 0.5 }]
})

const twoTokens: AnswerResult = {
  text: ' wormhole',
  tokens: [
    { id: 5, text: ' worm', special: false, variants: [verdict('clean', -1), verdict('spliced', -1.5, 2)] },
    { id: 7, text: 'hole', special: false, variants: [verdict('clean', -0.25), verdict('spliced', '-Infinity', 9)] }
  ],
  logProbs: [
    { name: 'clean', logProb: -1.25 },
    { name: 'spliced', logProb: '-Infinity' }
  ]
}

describe('the groups of an answer', () => {
  test('are its tokens and the whole of it, with the differences to clean', () => {
    const groups = groupsOf(twoTokens, 3)
    expect(groups.map(({ answer, place, token }) => [answer, place, token?.id ?? null])).toEqual([
      [3, 0, 5],
      [3, 1, 7],
      [3, null, null]
    ])
    expect(groups.map(({ rows }) => rows.map(({ difference }) => difference))).toEqual([
      [0, -0.5],
      [0, null],
      [0, null]
    ])
    expect(groups[2]?.rows.map(({ probability, rank }) => [probability, rank])).toEqual([
      [Math.exp(-1.25), null],
      [0, null]
    ])
  })

  test('have no whole where there is one token, which is the whole', () => {
    expect(groupsOf({ ...twoTokens, tokens: twoTokens.tokens.slice(0, 1) }, 0)).toHaveLength(1)
  })
})

test('probabilities become log-probs, and what is no number stays none', () => {
  const [one, none, zero] = guessesOf([
    { id: 1, text: 'a', logit: 1, probability: 0.25 },
    { id: 2, text: 'b', logit: null, probability: null },
    { id: 3, text: 'c', logit: 0, probability: 0 }
  ])
  expect(one?.logProb).toBeCloseTo(Math.log(0.25), 12)
  expect([none?.logProb, zero?.logProb]).toEqual([null, '-Infinity'])
})

test('copied text has the full values of every token and variant', () => {
  const lines = answersTsv({ answers: [twoTokens] } as unknown as AnswersResult).split('\n')
  expect(lines).toHaveLength(7)
  expect(lines[2]).toBe(` wormhole\t0\t5\t worm\tspliced\t2\t3\t${Math.exp(-1.5)}\t-1.5`)
  expect(lines[6]).toBe(' wormhole\twhole\t\t\tspliced\t\t\t0\t-Infinity')
})
