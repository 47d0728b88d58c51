import { expect, test } from 'vitest'
import { featureHref, hashOf, openSaeNameOf, pageSourceOf, parseHash } from './route.ts'

test('an address and its route are the same thing', () => {
  const hash = hashOf('explanations', [], { q: 'a/b?c=ü %', source: undefined, page: '' })
  expect(parseHash(hash)).toEqual({ view: 'explanations', parts: [], query: { q: 'a/b?c=ü %' } })
})

test('a feature has its source and index in its address', () => {
  const hash = featureHref('gemma-2-2b/20-gemmascope-res-16k', 10004)
  expect(hash).toBe('#/feature/gemma-2-2b/20-gemmascope-res-16k/10004')
  expect(parseHash(hash).parts).toEqual(['gemma-2-2b', '20-gemmascope-res-16k', '10004'])
})

test('no address is the Compare view, and a broken escape is taken as written', () => {
  expect(parseHash('')).toEqual({ view: 'compare', parts: [], query: {} })
  expect(parseHash('#/feature/50%').parts).toEqual(['50%'])
})

test('a feature of an SAE without a source has a page by the name of the SAE', () => {
  expect(pageSourceOf({ name: 'l0_3', source: null })).toBe('sae/l0_3')
  expect(pageSourceOf({ name: 'l0_3', source: 'gemma-2-2b/20-gemmascope-res-16k' })).toBe('gemma-2-2b/20-gemmascope-res-16k')
  expect(openSaeNameOf('sae/l0_3')).toBe('l0_3')
  expect(openSaeNameOf('gemma-2-2b/20-gemmascope-res-16k')).toBeNull()
})
