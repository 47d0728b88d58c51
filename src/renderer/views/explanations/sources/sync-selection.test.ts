import { expect, test } from 'vitest'
import { releaseName, selectionOf, sourceNames } from './sync-selection.ts'

const nothing = { named: '', model: '', release: '' }

test('names are parted by lines, spaces and commas, and each counts once', () => {
  expect(sourceNames(' a/1-x,\nb/2-y  a/1-x\n')).toEqual(['a/1-x', 'b/2-y'])
})

test('a release is a source without its model and layer', () => {
  expect([releaseName('gemma-2-2b/20-gemmascope-res-16k'), releaseName('3-res-jb'), releaseName('odd')]).toEqual([
    'gemmascope-res-16k',
    'res-jb',
    'odd'
  ])
})

test('a selection says what is missing of it', () => {
  expect(selectionOf('all', nothing)).toEqual({ kind: 'all' })
  expect(selectionOf('model', { ...nothing, model: ' gpt2 ' })).toEqual({ kind: 'model', model: 'gpt2' })
  expect(selectionOf('model', { ...nothing, model: 'gpt2', release: 'res-jb' })).toEqual({
    kind: 'model',
    model: 'gpt2',
    release: 'res-jb'
  })
  expect(selectionOf('model', nothing)).toMatch(/Name a model/)
  expect(selectionOf('sources', { ...nothing, named: 'a/1 b/2' })).toEqual({ kind: 'sources', sources: ['a/1', 'b/2'] })
  expect(selectionOf('sources', nothing)).toMatch(/Choose/)
  expect(selectionOf('sources', { ...nothing, named: 'a/1 wrong' })).toMatch(/“wrong”/)
})
