/** The application menu as Electron wants it, made of the menus that the contract describes. */
import type { MenuItemConstructorOptions } from 'electron'
import { type ActionId, chordsOf, wordsOf } from '../../contract/actions.ts'
import { type MenuEntry, menus } from '../../contract/menus.ts'

/** What the menu is made for; `choose` hears of an action that was chosen. */
export interface MenuPlace {
  readonly platform: NodeJS.Platform
  readonly isPackaged: boolean
  readonly choose: (id: ActionId) => void
}

/** Actions of which one of several is in force; separators part them in the menus. */
const isChoice = (id: ActionId) => /^(theme|scale)\.|^prompt\.(text|chat|ids)$/.test(id)

/**
 * A chord as Electron writes it; undefined for keys that a text field must get, which no menu may take. Of a sign that Shift makes Electron
 * wants the name.
 */
export function acceleratorOf(id: ActionId, platform: NodeJS.Platform): string | undefined {
  const [chord] = chordsOf(wordsOf(id), platform === 'darwin')
  if (chord === undefined || !/^(Mod|Alt)\+/.test(chord)) return undefined
  return chord.replace(/\+\+$/, '+Plus').replace('Mod', 'CommandOrControl').replace('Arrow', '')
}

function itemOf(entry: MenuEntry, place: MenuPlace): MenuItemConstructorOptions[] {
  if (entry === 'separator') return [{ type: 'separator' }]
  if (typeof entry === 'string') {
    const accelerator = acceleratorOf(entry, place.platform)
    return [
      {
        id: entry,
        label: wordsOf(entry).title.replaceAll('&', '&&'),
        // The page has the keys first: it knows what has the focus. On a Mac the system asks the page first by itself.
        ...(accelerator === undefined ? {} : { accelerator, registerAccelerator: false }),
        ...(isChoice(entry) ? { type: 'radio' as const } : {}),
        click: () => place.choose(entry)
      }
    ]
  }
  if ('entries' in entry) return [{ label: entry.label, submenu: entry.entries.flatMap(inner => itemOf(inner, place)) }]
  if (entry.role === 'toggleDevTools' && place.isPackaged) return []
  if (entry.role === 'quit' && place.platform === 'darwin') return []
  return [{ role: entry.role }]
}

/** The template of the whole menu; a Mac has the app's own menu in front, and one of windows. */
export function menuTemplate(place: MenuPlace): MenuItemConstructorOptions[] {
  const isMac = place.platform === 'darwin'
  const own = menus.map(({ label, entries }) => ({
    label,
    ...(label === 'Help' ? { role: 'help' as const } : {}),
    submenu: entries.flatMap(entry => itemOf(entry, place))
  }))
  if (!isMac) return own
  const app: MenuItemConstructorOptions = {
    label: 'Splice',
    submenu: [
      { label: wordsOf('about.show').title, click: () => place.choose('about.show') },
      { type: 'separator' },
      { role: 'services' },
      { type: 'separator' },
      { role: 'hide' },
      { role: 'hideOthers' },
      { role: 'unhide' },
      { type: 'separator' },
      { role: 'quit' }
    ]
  }
  const [help] = own.slice(-1)
  return [app, ...own.slice(0, -1), { role: 'windowMenu' }, ...(help === undefined ? [] : [help])]
}
