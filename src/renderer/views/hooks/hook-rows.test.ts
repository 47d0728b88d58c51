import { describe, expect, test } from 'vitest'
import type { CachedHook, HookTable } from '../../../contract/hooks.ts'
import { hookGroups, keyOf, nameFilter, nameParts, sortedHooks } from './hook-rows.ts'

function hook(name: string, more: Partial<CachedHook> & { mean?: number | null } = {}): CachedHook {
  const { mean = 0, ...rest } = more
  return {
    name,
    sae: null,
    shape: [1, 2, 3],
    axes: ['batch', 'position', 'feature'],
    bytes: 24,
    statistics: { mean, std: 1, min: -1, max: 1, finite: 6, nan: 0, positiveInfinity: 0, negativeInfinity: 0 },
    difference: null,
    ...rest
  }
}

const names = (hooks: readonly CachedHook[]) => hooks.map(({ name }) => name)

describe('the filter', () => {
  test('takes any part of a name, whatever its case; dots are dots', () => {
    const { test: passes, isPattern } = nameFilter(' Resid_Post')
    expect([passes('blocks.0.hook_resid_post'), passes('blocks.0.hook_resid_pre'), isPattern]).toEqual([true, false, false])
    expect(nameFilter('0.attn').test('blocks.10xattn')).toBe(false)
    expect(nameFilter('').test('hook_embed')).toBe(true)
  })
  test('is a regular expression where it looks like one', () => {
    const { test: passes, isPattern, problem } = nameFilter('^blocks\\.(2|13)\\..*pattern$')
    expect([passes('blocks.13.attn.hook_pattern'), passes('blocks.3.attn.hook_pattern'), isPattern, problem]).toEqual([
      true,
      false,
      true,
      null
    ])
    expect(nameFilter('blocks.*.hook_resid_mid').test('blocks.7.hook_resid_mid')).toBe(true)
  })
  test('says why an unfinished expression is taken literally', () => {
    const { test: passes, isPattern, problem } = nameFilter('hook_(q')
    expect([passes('hook_q'), isPattern]).toEqual([false, false])
    expect(problem).toMatch(/group/i)
  })
})

describe('sorting', () => {
  const hooks = [
    hook('blocks.10.a', { mean: 2 }),
    hook('blocks.2.a', { mean: null }),
    hook('blocks.0.b', { mean: -3 }),
    hook('blocks.0.a', { mean: 2 })
  ]
  test('by number keeps equal ones in the order of the run, and what has none last either way', () => {
    expect(names(sortedHooks(hooks, { column: 'mean', descending: true }))).toEqual([
      'blocks.10.a',
      'blocks.0.a',
      'blocks.0.b',
      'blocks.2.a'
    ])
    expect(names(sortedHooks(hooks, { column: 'mean', descending: false }))).toEqual([
      'blocks.0.b',
      'blocks.10.a',
      'blocks.0.a',
      'blocks.2.a'
    ])
  })
  test('by name counts blocks', () => {
    expect(names(sortedHooks(hooks, { column: 'name', descending: false }))).toEqual([
      'blocks.0.a',
      'blocks.0.b',
      'blocks.2.a',
      'blocks.10.a'
    ])
  })
  test('by difference, infinities included', () => {
    const difference = (maxAbsolute: CachedHook['statistics']['mean']) => ({ meanAbsolute: 0, maxAbsolute, compared: 1, unlike: 0 })
    const compared = [hook('a', { difference: difference(1) }), hook('b'), hook('c', { difference: difference('Infinity') })]
    expect(names(sortedHooks(compared, { column: 'maxAbsolute', descending: true }))).toEqual(['c', 'a', 'b'])
  })
})

test("an SAE's hook points have a table of their own, and both know how many they hide", () => {
  const sae = [
    hook('blocks.1.hook_resid_post.hook_sae_acts_post', { sae: 'res' }),
    hook('blocks.1.hook_resid_post.hook_sae_input', { sae: 'res' })
  ]
  const table: HookTable = {
    model: { path: '/m', name: 'm' },
    tokens: [],
    variant: 'spliced',
    against: null,
    hooks: [hook('hook_embed'), ...sae, hook('blocks.1.hook_attn_out')],
    replaced: [{ name: 'blocks.1.hook_resid_post', sae: 'res' }],
    milliseconds: 1
  }
  const groups = hookGroups(table, nameFilter('acts'), { column: 'order', descending: false })
  expect(groups.map(({ title, hooks, total }) => [title, names(hooks), total])).toEqual([
    ['SAE hooks', ['blocks.1.hook_resid_post.hook_sae_acts_post'], 2],
    ['Other hook points', [], 2]
  ])
  expect(sae.map(keyOf)).toEqual(sae.map(({ name }) => `${name} res`))
})

test('the last part of a name tells most', () => {
  expect([nameParts('blocks.0.attn.hook_pattern'), nameParts('hook_embed')]).toEqual([
    ['blocks.0.attn.', 'hook_pattern'],
    ['', 'hook_embed']
  ])
})
