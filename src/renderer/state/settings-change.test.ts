import { describe, expect, test } from 'vitest'
import { settings as schema } from '../../contract/settings.ts'
import { withChange } from './settings-change.ts'

describe('a change of settings', () => {
  const before = schema.parse({ panes: { inspector: { size: 400, collapsed: false }, filters: { size: 200, collapsed: true } } })

  test('leaves what it does not name', () => {
    expect(withChange(before, { theme: 'dark' })).toEqual({ ...before, theme: 'dark' })
  })

  test('changes panes one by one, and forgets those that are null', () => {
    const { panes } = withChange(before, { panes: { inspector: { size: 500, collapsed: false }, filters: null } })
    expect(panes).toEqual({ inspector: { size: 500, collapsed: false } })
  })
})
