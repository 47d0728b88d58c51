import { describe, expect, test } from 'vitest'
import type { Variant } from '../../contract/run.ts'
import { baselineOf, checkPositions, checkVariants, coveredPositions } from './variants.ts'

const saes = [
  { name: 'a', target: 'blocks.2.hook_resid_post', sae: { dSae: 8 } },
  { name: 'b', target: 'blocks.2.hook_resid_post', sae: { dSae: 8 } },
  { name: 'c', target: 'blocks.1.hook_resid_post', sae: { dSae: 8 } }
]
const variant = (name: string, ...names: string[]): Variant => ({
  name,
  splices: names.map(sae => ({ sae, errorTerm: false, positions: 'all' }))
})
const tokens = [
  { id: 2, text: '<bos>', special: true },
  { id: 7, text: 'a', special: false },
  { id: 8, text: 'b', special: false }
]

describe('variants that cannot be run are refused', () => {
  test('two SAEs on one hook point, pointing to --variant', () => {
    expect(() => checkVariants([variant('spliced', 'a', 'b')], saes)).toThrow(/splices both a and b at blocks.2.hook_resid_post/)
    expect(() => checkVariants([variant('one', 'a', 'c'), variant('two', 'b')], saes)).not.toThrow()
  })
  test('an SAE that the run does not have', () => {
    expect(() => checkVariants([variant('x', 'd')], saes)).toThrow(/splices d, which is no SAE of this run/)
  })
  test('a name used twice', () => {
    expect(() => checkVariants([variant('x'), variant('x', 'a')], saes)).toThrow(/two variants are called x/)
  })
  test('positions beyond the prompt', () => {
    const ranged: Variant = { name: 'x', splices: [{ sae: 'a', errorTerm: false, positions: [[1, 4]] }] }
    expect(() => checkPositions([ranged], 3)).toThrow(/1:4 do not fit a prompt of 3 tokens/)
    expect(() => checkPositions([ranged], 4)).not.toThrow()
  })
})

test('the first variant without splices is the baseline', () => {
  expect(baselineOf([variant('x', 'a'), variant('clean'), variant('other')])).toBe(1)
  expect(baselineOf([variant('x', 'a')])).toBeNull()
})

test('positions are all, all but special tokens, or half-open ranges', () => {
  expect(coveredPositions('all', tokens)).toEqual([true, true, true])
  expect(coveredPositions('no-special', tokens)).toEqual([false, true, true])
  expect(
    coveredPositions(
      [
        [0, 1],
        [2, 2]
      ],
      tokens
    )
  ).toEqual([true, false, false])
})
