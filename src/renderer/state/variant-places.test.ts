import { expect, test } from 'vitest'
import { inOrder, movedTo } from './variant-places.ts'

test('a chosen order holds for the variants it knows, others follow as they were', () => {
  expect(inOrder(['clean', 'a', 'b', 'c'], ['b', 'gone', 'clean'])).toEqual(['b', 'clean', 'a', 'c'])
  expect(inOrder(['clean', 'a'], [])).toEqual(['clean', 'a'])
})

test('a variant moves to a place, no further than there are places', () => {
  expect(movedTo(['clean', 'a', 'b'], 'b', 0)).toEqual(['b', 'clean', 'a'])
  expect(movedTo(['clean', 'a', 'b'], 'clean', 9)).toEqual(['a', 'b', 'clean'])
  expect(movedTo(['clean', 'a', 'b'], 'a', -1)).toEqual(['a', 'clean', 'b'])
})
