/** What a comparison of runs says: what differs, and nothing where tokens do not mean the same. */
import { describe, expect, test } from 'vitest'
import type { KeptRun } from '../../../../contract/history.ts'
import type { RunRequest, RunResult } from '../../../../contract/run.ts'
import { someRun } from '../../../../main/runs/history-fixture.ts'
import { summaryOf } from '../../../../main/runs/run-summary.ts'
import { alignTokens } from './alignment.ts'
import { type ComparedRun, firstVariant } from './compared-run.ts'
import { featureChanges } from './feature-changes.ts'
import { resultRows } from './result-rows.ts'
import { settingRows } from './settings-rows.ts'
import { whyNotComparable } from './shared-tokenizer.ts'
import { tokenDifferences } from './token-differences.ts'

function compared(prompt: string, change: (run: { request: RunRequest; result: RunResult }) => void = () => undefined): ComparedRun {
  const { request, result } = someRun(prompt)
  change({ request, result })
  const said = { id: '0123456789', createdAt: 0, name: null, pinned: false, notes: '', tags: [], bytes: 1, version: '0.1.0' }
  const kept: KeptRun = { ...said, ...summaryOf(request, result) }
  return { kept, request, result, variant: firstVariant({ request, result }) }
}

describe('aligning tokens', () => {
  test.each([
    [
      [1, 2, 3],
      [1, 2, 3],
      [0, 1, 2]
    ],
    [
      [1, 2, 3, 4],
      [1, 9, 4],
      [0, null, null, 2]
    ],
    [
      [1, 2, 3],
      [1, 7, 8, 2, 3],
      [0, 3, 4]
    ],
    [
      [1, 5, 6, 7, 9],
      [1, 6, 5, 7, 9],
      [0, null, 1, 3, 4]
    ],
    [[1, 1, 1], [1], [0, null, null]],
    [[], [1], []],
    [[1], [2], [null]]
  ])('%j in %j', (one, other, expected) => {
    const aligned = alignTokens(one, other)
    const pairs = aligned.flatMap((at, i) => (at === null ? [] : [[one[i], other[at]]]))
    expect(pairs.every(([a, b]) => a === b)).toBe(true)
    expect(aligned.filter(at => at !== null).length).toBe(expected.filter(at => at !== null).length)
    if (one.length !== 5) expect(aligned).toEqual(expected)
  })

  test('never crosses, and finds the most', () => {
    const one = Array.from({ length: 60 }, (_, i) => (i * 7919) % 11)
    const other = Array.from({ length: 50 }, (_, i) => (i * 104729) % 11)
    const places = alignTokens(one, other).filter(at => at !== null)
    expect(places).toEqual([...places].sort((a, b) => a - b))
    expect(new Set(places).size).toBe(places.length)
    expect(places.length).toBe(longestByTable(one, other))
  })
})

/** The textbook's table, written the other way round. */
function longestByTable(one: readonly number[], other: readonly number[]): number {
  let before = Array.from({ length: other.length + 1 }, () => 0)
  for (const id of one) {
    const row = [0]
    for (const [j, its] of other.entries()) row.push(id === its ? before[j]! + 1 : Math.max(before[j + 1]!, row[j]!))
    before = row
  }
  return before[other.length]!
}

describe('tokenizers', () => {
  test('are one in one model folder, whatever its tokens', () => {
    expect(whyNotComparable(compared('a').result, compared('b').result)).toBeNull()
  })

  test('are the same where every shared id has the same text, and else named with the id', () => {
    const moved = compared('a', ({ result }) => {
      result.model = { name: 'other', path: '/models/other' }
    })
    // Ids 0 to 3 are " w..." as tokens and " t..." as guesses in both.
    expect(whyNotComparable(compared('a').result, moved.result)).toBeNull()
    const otherwise = compared('a', ({ result }) => {
      result.model = { name: 'other', path: '/models/other' }
      for (const { topK } of result.variants) for (const predicted of topK) for (const guess of predicted) guess.text = ' else'
    })
    expect(whyNotComparable(compared('a').result, otherwise.result)).toMatch(
      /^tiny and other have different tokenizers: token \d is " t\d" in one and " else" in the other\.$/
    )
    const apart = compared('a', ({ result }) => {
      result.model = { name: 'other', path: '/models/other' }
      for (const token of result.tokens) token.id += 100
      for (const { topK } of result.variants) for (const predicted of topK) for (const guess of predicted) guess.id += 100
    })
    expect(whyNotComparable(compared('a').result, apart.result)).toMatch(/no token id in common/)
  })
})

test('settings that differ are marked, the others are the same in all', () => {
  const other = compared('b', ({ request, result }) => {
    result.processing = []
    request.variants[1]!.splices[0]!.positions = [[1, 3]]
    result.saes = []
  })
  const rows = settingRows([compared('a'), other])
  expect(rows.filter(row => row.differs).map(({ name, values }) => [name, ...values])).toEqual([
    ['SAE', 'tiny/2-res at blocks.2.hook_resid_post', null],
    ['prompt', 'a', 'b'],
    ['processing', 'fold_ln', 'none'],
    ['its splices', 'l0_15 at all', 'l0_15 at 1:3']
  ])
  expect(rows.find(({ name }) => name === 'layer order')).toMatchObject({ differs: false, values: ['checkpoint', 'checkpoint'] })
})

test('results stand against the first run; what a run lacks has no difference', () => {
  const other = compared('b', ({ result }) => {
    result.variants[1]!.loss = 3
    result.saes[0]!.byVariant.clean!.l0 = 'NaN'
  })
  const rows = resultRows([compared('a'), other])
  expect(rows.map(({ name, sae, values, differences }) => [name, sae?.name ?? null, values, differences])).toEqual([
    ['loss', null, [2.25, 3], [null, 0.75]],
    ['loss increase', null, [0.25, 0.25], [null, 0]],
    ['mean KL', null, [0.2, 0.2], [null, 0]],
    ['L0', 'l0_15', [1, 'NaN'], [null, null]],
    ['explained variance', 'l0_15', [0.9, 0.9], [null, 0]]
  ])
})

test('tokens are compared where both runs have them, and only there', () => {
  const other = compared('b', ({ result }) => {
    result.tokens[1]!.id = 77
    result.variants[1]!.logProbs = [null, -9, -2, -3]
  })
  const { tokens, shared, mean, meanAbsolute } = tokenDifferences(compared('a'), other)
  expect(tokens.map(token => [token.other, token.difference])).toEqual([
    [0, null],
    [null, null],
    [2, 0.25],
    [3, 0.25]
  ])
  expect([shared, mean, meanAbsolute]).toEqual([3, 0.25, 0.25])
})

test('features are gained, lost or moved by their largest activation, special tokens left out', () => {
  const other = compared('b', ({ result }) => {
    result.saes[0]!.byVariant.clean!.features = [
      [{ index: 99, activation: 50, maxActivation: null, explanations: [] }],
      [{ index: 8, activation: 9, maxActivation: null, explanations: [] }],
      [{ index: 9, activation: 3, maxActivation: null, explanations: [] }],
      [{ index: 55, activation: 2, maxActivation: null, explanations: [{ description: 'new', explainer: null }] }]
    ]
  })
  expect(featureChanges(compared('a'), other)).toEqual([
    {
      sae: 'tiny/2-res at blocks.2.hook_resid_post',
      source: 'tiny/2-res',
      gained: [{ index: 55, before: 0, after: 2, explanations: [{ description: 'new', explainer: null }] }],
      lost: [{ index: 10, before: 4.5, after: 0, explanations: [] }],
      moved: [{ index: 8, before: 1.5, after: 9, explanations: [] }]
    }
  ])
})
