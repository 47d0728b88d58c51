import { describe, expect, test } from 'vitest'
import type { PublishedMetrics } from '../../../contract/run.ts'
import type { SaeTry } from '../../../contract/sae-check.ts'
import { verdictOf } from './verdict.ts'

const published: PublishedMetrics = { l0: { value: 15, from: 'release' }, explainedVariance: null }
const nothing: PublishedMetrics = { l0: null, explainedVariance: null }

/** A try at a hook point that is as published, unless said otherwise. */
function tried(hook: string, explainedVariance: number, more: Partial<SaeTry> = {}): SaeTry {
  return {
    ...{ hook, hookOut: null, processing: [], normFactor: null, bos: 'as-given', counted: 'no-special' },
    ...{ l0: 15, explainedVariance, positions: 60, l0Factor: 1, unexplainedFactor: null, fits: true, isPresent: false, isOwnPlace: false },
    ...more
  }
}

const off = { l0: 60, l0Factor: 4, fits: false }
const now = { isPresent: true }

describe('where the present reading is off', () => {
  test('another that is as published and explains more fits', () => {
    const tries = [
      tried('blocks.1.hook_mlp_out', -0.2, { ...now, ...off }),
      tried('blocks.1.hook_resid_mid', 0.5),
      tried('blocks.1.hook_resid_post', 0.9)
    ]
    expect(verdictOf(tries, published, null)).toEqual({
      kind: 'other-fits',
      text: 'It fits at blocks.1.hook_resid_post: L0 15, explained variance 0.9; published L0 15, now L0 60, explained variance -0.2.',
      about: 2,
      change: { hook: 'blocks.1.hook_resid_post' }
    })
  })

  test('another that is as published but explains less does not', () => {
    const tries = [tried('blocks.1.hook_resid_post', 0.8, { ...now, ...off }), tried('blocks.1.hook_resid_mid', 0.5)]
    expect(verdictOf(tries, published, null)).toMatchObject({ kind: 'none-fits', about: 0, change: null })
  })

  test('of those that explain as good as the same, the one that changes least fits, and the SAE’s own place before others', () => {
    const present = tried('hook', 0.1, { ...now, ...off })
    const both = tried('other', 0.905, { processing: ['fold_ln'] })
    const one = tried('hook', 0.9, { processing: ['fold_ln'] })
    expect(verdictOf([present, both, one], published, null).change).toEqual({ processing: ['fold_ln'] })
    const own = tried('own', 0.9, { isOwnPlace: true })
    expect(verdictOf([present, tried('other', 0.905), own], published, null).change).toEqual({ hook: 'own' })
  })

  test('the norm factor goes back to the SAE’s own by its absence', () => {
    const present = tried('hook', 0.1, { ...now, ...off, normFactor: 1 })
    const own = tried('hook', 0.9, { normFactor: 0.2 })
    expect(verdictOf([present, own], published, 0.2).change).toEqual({ normFactor: null })
    expect(verdictOf([present, own], published, null).change).toEqual({ normFactor: 0.2 })
  })

  test('special tokens are blamed where nothing over the same tokens fits', () => {
    const present = tried('hook', 0.7, { ...now, ...off })
    const withBos = tried('hook', 0.6, { bos: 'added' })
    const counted = tried('hook', 0.99, { counted: 'all' })
    expect(verdictOf([present, withBos], published, null)).toMatchObject({ kind: 'other-fits', change: { prependBos: true } })
    expect(verdictOf([present, counted], published, null).change).toEqual({ metricPositions: 'all' })
    expect(verdictOf([present, counted, tried('other', 0.75)], published, null).change).toEqual({ hook: 'other' })
  })

  test('a place is not blamed for what BOS alone explains', () => {
    const present = tried('hook', 0.2, { ...now, ...off })
    const homeWithout = tried('hook', 0.9, { bos: 'left-out' })
    const elsewhere = tried('other', 0.5, { bos: 'left-out' })
    expect(verdictOf([present, elsewhere, homeWithout], published, null).change).toEqual({ prependBos: false })
  })
})

describe('where the present reading is as published', () => {
  test('it stays, unless another leaves less than half as much unexplained', () => {
    const present = tried('hook', 0.6, now)
    expect(verdictOf([present, tried('other', 0.79)], published, null)).toMatchObject({ kind: 'present-fits', about: 0, change: null })
    expect(verdictOf([present, tried('other', 0.81)], published, null)).toMatchObject({ kind: 'other-fits', change: { hook: 'other' } })
    expect(verdictOf([present, tried('other', 0.81, off)], published, null).kind).toBe('present-fits')
  })
})

describe('where nothing is published', () => {
  test('what explains the most is named', () => {
    const present = tried('hook', 0.6, now)
    expect(verdictOf([present, tried('other', 0.7)], nothing, null)).toMatchObject({ kind: 'explains-most', about: 0, change: null })
    expect(verdictOf([present, tried('other', 0.9)], nothing, null)).toMatchObject({
      kind: 'explains-more',
      about: 1,
      change: { hook: 'other' }
    })
  })
})

test('explained variances that are undefined or no numbers never win', () => {
  const tries = [
    tried('hook', 0.1, { ...now, ...off }),
    tried('other', 0, { explainedVariance: 'NaN' }),
    tried('third', 0, { explainedVariance: null })
  ]
  expect(verdictOf(tries, published, null).kind).toBe('none-fits')
})
