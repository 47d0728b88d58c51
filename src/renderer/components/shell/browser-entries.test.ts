import { expect, test } from 'vitest'
import { actionsOf, menus } from '../../../contract/menus.ts'
import { browserEntries } from './browser-entries.ts'

test('a browser’s menus leave out what it does itself, without separators that part nothing', () => {
  const shown = browserEntries(menus, id => id.startsWith('zoom.'))
  const ids = shown.flatMap(({ entries }) => actionsOf(entries))
  expect(ids).toEqual(menus.flatMap(({ entries }) => actionsOf(entries)).filter(id => !id.startsWith('zoom.')))
  for (const { entries } of shown) {
    expect(entries[0]).not.toBe('separator')
    expect(entries.at(-1)).not.toBe('separator')
    expect(entries.some((entry, at) => entry === 'separator' && entries[at + 1] === 'separator')).toBe(false)
    expect(entries.some(entry => typeof entry !== 'string' && 'role' in entry)).toBe(false)
  }
})

test('a menu with nothing left in it goes away', () => {
  expect(browserEntries([{ label: 'Window', entries: [{ role: 'close' }, 'separator', 'zoom.in'] }], () => true)).toEqual([])
})
