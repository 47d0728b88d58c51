/** The menus as a browser's window shows them. */
import type { ActionId } from '../../../contract/actions.ts'
import type { Menu, MenuEntry } from '../../../contract/menus.ts'

/** Without what the system or the browser does, and without the separators that would stand at an end or together then. */
export function browserEntries(menus: readonly Menu[], isLeftOut: (id: ActionId) => boolean): Menu[] {
  const kept = (entries: readonly MenuEntry[]): MenuEntry[] => {
    const left = entries.flatMap((entry): MenuEntry[] => {
      if (typeof entry === 'string') return entry !== 'separator' && isLeftOut(entry) ? [] : [entry]
      return 'entries' in entry ? [{ label: entry.label, entries: kept(entry.entries) }] : []
    })
    const single = left.filter((entry, at) => entry !== 'separator' || (at > 0 && left[at - 1] !== 'separator'))
    return single.at(-1) === 'separator' ? single.slice(0, -1) : single
  }
  return menus.map(({ label, entries }) => ({ label, entries: kept(entries) })).filter(({ entries }) => entries.length > 0)
}
