import { expect, test } from 'vitest'
import type { GeneratedToken } from '../../contract/generation.ts'
import { ContinuationGatherer, meanLogProb, partingStep, textOf } from './continuations.ts'

const token = (id: number, text = ` t${id}`, logProb: GeneratedToken['logProb'] = -id): GeneratedToken => ({
  ...{ id, text, special: false, logProb, rank: 0, top: [] }
})
const ids = (...list: number[]) => list.map(id => ({ id }))

test('events are gathered by variant and sample, and what was given before stays as it was', () => {
  const gatherer = new ContinuationGatherer(['clean', 'spliced'], 2)
  gatherer.take({
    type: 'tokens',
    step: 0,
    tokens: [
      { variant: 'clean', sample: 0, token: token(1), ending: null },
      { variant: 'spliced', sample: 1, token: token(2), ending: 'eos' }
    ]
  })
  const before = gatherer.written()
  gatherer.take({ type: 'features', step: 0, features: [{ variant: 'clean', sample: 0, features: { sae: [] } }] })
  gatherer.take({ type: 'tokens', step: 1, tokens: [{ variant: 'clean', sample: 0, token: token(3), ending: 'length' }] })

  expect(before.map(({ variant, sample, tokens, ending }) => [variant, sample, tokens.map(({ id }) => id), ending])).toEqual([
    ['clean', 0, [1], null],
    ['spliced', 0, [], null],
    ['clean', 1, [], null],
    ['spliced', 1, [2], 'eos']
  ])
  expect(gatherer.written()[0]).toMatchObject({ tokens: [{ id: 1 }, { id: 3 }], features: [{ sae: [] }], ending: 'length' })
})

test.each([
  [ids(1, 2, 3), ids(1, 2, 4), 2],
  [ids(5), ids(6, 7), 0],
  [ids(1, 2), ids(1, 2, 3), null],
  [ids(1, 2), ids(1, 2), null],
  [[], ids(1), null]
])('continuations part where they first differ', (one, other, step) => {
  expect(partingStep(one, other)).toBe(step)
})

test('the mean log-prob is of the tokens that have one', () => {
  expect(meanLogProb([token(1), token(3)])).toBe(-2)
  expect(meanLogProb([token(1), token(2, ' x', null), token(2, ' y', '-Infinity')])).toBe(-1)
  expect(meanLogProb([])).toBeNull()
})

test('text puts bytes together and leaves special tokens out', () => {
  const tokens = [token(1, ' a'), token(2, '<0xF0>'), token(3, '<0x9F>'), token(4, '<0x99>'), token(5, '<0x82>')]
  expect(textOf([...tokens, { ...token(6, '<eos>'), special: true }])).toBe(' a🙂')
})
