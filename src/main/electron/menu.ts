/** The application menu: it names actions to the window, which does them and says what can be done. */
import { app, BrowserWindow, Menu } from 'electron'
import { type ActionId, actionId, actionStates } from '../../contract/actions.ts'
import { hear } from './channels.ts'
import { menuTemplate } from './menu-template.ts'

/** Names an action to the window that the person is in. */
function choose(id: ActionId): void {
  const window = BrowserWindow.getFocusedWindow() ?? BrowserWindow.getAllWindows()[0]
  window?.webContents.send('action', id)
}

/** Sets the menu, and keeps it true to what the window says. */
export function setMenu(): void {
  const menu = Menu.buildFromTemplate(menuTemplate({ platform: process.platform, isPackaged: app.isPackaged, choose }))
  const show = (disabled: readonly string[], checked: readonly string[]) => {
    for (const id of actionId.options) {
      const item = menu.getMenuItemById(id)
      if (item === null) continue
      item.enabled = !disabled.includes(id)
      item.checked = checked.includes(id)
    }
  }
  // Nothing can be done before a window says so.
  show(actionId.options, [])
  hear('action-states', (_sender, said) => {
    const states = actionStates.safeParse(said)
    if (states.success) show(states.data.disabled, states.data.checked)
  })
  app.on('window-all-closed', () => show(actionId.options, []))
  Menu.setApplicationMenu(menu)
}
