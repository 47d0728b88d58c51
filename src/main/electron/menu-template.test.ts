import { describe, expect, test } from 'vitest'
import { type ActionId, actionId } from '../../contract/actions.ts'
import { actionsOf, menus } from '../../contract/menus.ts'
import { acceleratorOf, menuTemplate } from './menu-template.ts'

type Item = Electron.MenuItemConstructorOptions
const all = (items: readonly Item[]): Item[] => items.flatMap(item => [item, ...(Array.isArray(item.submenu) ? all(item.submenu) : [])])
const templateOn = (platform: NodeJS.Platform, choose: (id: ActionId) => void = () => undefined, isPackaged = true) =>
  menuTemplate({ platform, isPackaged, choose })

describe('the application menu', () => {
  test('has every action of the menus, each with its id, and names it when it is chosen', () => {
    const chosen: ActionId[] = []
    const items = all(templateOn('linux', id => chosen.push(id))).filter(({ id }) => id !== undefined)
    expect(items.map(({ id }) => id)).toEqual(menus.flatMap(({ entries }) => actionsOf(entries)))
    for (const { click } of items) click?.({} as never, undefined, {} as never)
    expect(chosen).toEqual(items.map(({ id }) => id))
  })

  test('shows accelerators and leaves the keys to the page', () => {
    const items = all(templateOn('linux')).filter(({ accelerator }) => accelerator !== undefined)
    expect(items.length).toBeGreaterThan(10)
    expect(items.every(({ registerAccelerator }) => registerAccelerator === false)).toBe(true)
    const accelerators = items.map(({ accelerator }) => accelerator)
    expect(accelerators).toEqual([...new Set(accelerators)])
  })

  test('writes chords as Electron does', () => {
    expect(acceleratorOf('palette.open', 'linux')).toBe('CommandOrControl+K')
    expect(acceleratorOf('go.back', 'linux')).toBe('Alt+Left')
    expect(acceleratorOf('go.back', 'darwin')).toBe('CommandOrControl+[')
    expect(acceleratorOf('zoom.in', 'linux')).toBe('CommandOrControl+Plus')
  })

  test('never takes a key that writes into a text field', () => {
    const accelerators = actionId.options.flatMap(id => [acceleratorOf(id, 'linux') ?? [], acceleratorOf(id, 'darwin') ?? []].flat())
    expect(accelerators.every(accelerator => /^(CommandOrControl|Alt)\+/.test(accelerator))).toBe(true)
    expect(acceleratorOf('shortcuts.show', 'darwin')).toBeUndefined()
  })

  test('has the app’s own menu on a Mac alone, and the developer tools unless it is packaged', () => {
    expect(templateOn('darwin')[0]?.label).toBe('Splice')
    expect(templateOn('linux')[0]?.label).toBe('File')
    const roles = (items: readonly Item[]) => all(items).map(({ role }) => role)
    expect(roles(templateOn('linux'))).not.toContain('toggleDevTools')
    expect(roles(templateOn('linux', undefined, false))).toContain('toggleDevTools')
    expect(roles(templateOn('darwin')).filter(role => role === 'quit')).toHaveLength(1)
  })
})
