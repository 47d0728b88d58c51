import { describe, expect, test } from 'vitest'
import type { Action } from '../../actions/registry.svelte.ts'
import { matchingActions, namedFeatures, recentActions } from './palette-items.ts'

const action = (id: string, title: string, more: Partial<Action> = {}): Action => ({
  id,
  title,
  group: 'General',
  act: () => undefined,
  ...more
})
const actions = [
  action('theme.dark', 'Theme: dark', { keywords: 'night' }),
  action('run.cancel', 'Cancel the run', { why: 'nothing is running', keys: ['Mod+.'] }),
  action('run.start', 'Run the prompt', { keys: ['Mod+Enter'] })
]

describe('actions', () => {
  test('come by how well they match; what cannot be done now is last, with its reason', () => {
    const found = matchingActions('run', actions, false)
    expect(found.map(({ key, why, chord }) => [key, why, chord])).toEqual([
      ['action:run.start', undefined, 'Ctrl+Enter'],
      ['action:run.cancel', 'nothing is running', 'Ctrl+.']
    ])
  })

  test('that were chosen last stand first, unless they cannot be done now', () => {
    expect(recentActions(['run.cancel', 'theme.dark', 'gone'], actions, false).map(({ key }) => key)).toEqual(['recent:theme.dark'])
  })
})

describe('a feature that is typed', () => {
  const known = ['gemma-2-2b/20-gemmascope-res-16k', 'gemma-2-2b/3-gemmascope-res-16k', 'demo/2-res']
  const open = [
    { source: 'demo/2-res', features: 1024 },
    { source: 'demo/3-mlp', features: 16 }
  ]
  const named = (typed: string) => namedFeatures(typed, known, open).map(({ source, index, isKnown }) => `${source}/${index} ${isKnown}`)

  test('is one of a source by its whole name or by its layer', () => {
    expect(named('gemma-2-2b/20-gemmascope-res-16k/10004')).toEqual(['gemma-2-2b/20-gemmascope-res-16k/10004 true'])
    expect(named('20-GEMMASCOPE-res-16k / 7')).toEqual(['gemma-2-2b/20-gemmascope-res-16k/7 true'])
  })

  test('is one of every source whose name has what is typed', () => {
    expect(named('gemmascope/5')).toEqual(['gemma-2-2b/20-gemmascope-res-16k/5 true', 'gemma-2-2b/3-gemmascope-res-16k/5 true'])
  })

  test('by its index alone is one of the open SAEs that have so many', () => {
    expect(named('900')).toEqual(['demo/2-res/900 true'])
    expect(named('5')).toEqual(['demo/2-res/5 true', 'demo/3-mlp/5 false'])
  })

  test('may be of a source that is not here, by its whole name', () => {
    expect(named('gpt2-small/6-res-jb/42')).toEqual(['gpt2-small/6-res-jb/42 false'])
    expect(named('nonsense/42')).toEqual([])
    expect(named('a word')).toEqual([])
  })
})
