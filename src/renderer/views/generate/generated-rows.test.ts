import { describe, expect, test } from 'vitest'
import type { GeneratedToken } from '../../../contract/generation.ts'
import type { WrittenContinuation } from '../../state/continuations.ts'
import { generatedRows, generatedTsv, hasSamePast } from './generated-rows.ts'

const token = (id: number): GeneratedToken => ({ id, text: ` t${id}`, special: false, logProb: -id / 4, rank: id, top: [] })
const written = (variant: string, ...ids: number[]): WrittenContinuation => ({
  ...{ variant, sample: 0, ending: null, text: null },
  tokens: ids.map(token),
  features: ids.map(id => (id === 9 ? undefined : { sae: [{ index: id * 10, activation: 1.5, maxActivation: null, explanations: [] }] }))
})
const clean = written('clean', 1, 2, 3)
const spliced = written('spliced', 1, 9)

test('a step has a token of each variant, or none where one has ended', () => {
  expect(generatedRows([clean, spliced]).map(({ step, tokens }) => [step, ...tokens.map(each => each?.id)])).toEqual([
    [0, 1, 1],
    [1, 2, 9],
    [2, 3, undefined]
  ])
  expect(generatedRows([])).toEqual([])
})

describe('places are compared with clean only after the same tokens', () => {
  test.each([
    [spliced, clean, 0, true],
    [spliced, clean, 1, true],
    [written('spliced', 1, 9, 3), clean, 2, false],
    [written('spliced', 1, 2, 3, 4), clean, 3, true],
    [written('spliced', 1, 2, 3, 4, 5), clean, 4, false],
    [spliced, undefined, 0, false]
  ])('%#', (continuation, baseline, step, isSame) => {
    expect(hasSamePast(continuation, baseline, step)).toBe(isSame)
  })
})

test('copied text has every token with its full values', () => {
  expect(generatedTsv([clean, spliced]).split('\n')).toEqual([
    'variant\tsample\tstep\tid\ttoken\tlog-prob\trank\tsae strongest feature\tsae activation',
    'clean\t0\t0\t1\t t1\t-0.25\t1\t10\t1.5',
    'clean\t0\t1\t2\t t2\t-0.5\t2\t20\t1.5',
    'clean\t0\t2\t3\t t3\t-0.75\t3\t30\t1.5',
    'spliced\t0\t0\t1\t t1\t-0.25\t1\t10\t1.5',
    'spliced\t0\t1\t9\t t9\t-2.25\t9\t\t'
  ])
})
