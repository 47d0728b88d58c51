/** The window: sandboxed, without Node, going nowhere but to its own page. */
import path from 'node:path'
import { BrowserWindow, screen, session, shell } from 'electron'
import type { WindowPlace } from '../../contract/settings.ts'
import { pageOrigin } from './page-protocol.ts'
import { leastSize, placeOn, usualSize } from './window-place.ts'

/** Opens the workbench's window, where it was last once that is known. `preload` is the built preload's path. */
export function openWindow(preload: string, lastPlace: Promise<WindowPlace | null>): BrowserWindow {
  const window = new BrowserWindow({
    ...usualSize,
    minWidth: leastSize.width,
    minHeight: leastSize.height,
    show: false,
    title: 'Splice',
    webPreferences: {
      preload: path.resolve(preload),
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webviewTag: false,
      spellcheck: false
    }
  })
  const isReady = new Promise<void>(resolve => window.once('ready-to-show', () => resolve()))
  void Promise.all([lastPlace, isReady]).then(([last]) => {
    if (window.isDestroyed()) return
    if (last !== null) {
      const areas = screen.getAllDisplays().map(({ workArea }) => workArea)
      window.setBounds(placeOn(areas, last))
      if (last.maximized) window.maximize()
    }
    window.show()
  })
  window.webContents.setWindowOpenHandler(({ url }) => {
    if (url.startsWith('https://')) void shell.openExternal(url)
    return { action: 'deny' }
  })
  window.webContents.on('will-navigate', (event, url) => {
    if (!url.startsWith(`${pageOrigin}/`)) event.preventDefault()
  })
  // The one frame is Neuronpedia's dashboard, and goes nowhere else.
  window.webContents.on('will-frame-navigate', event => {
    if (!event.isMainFrame && !event.url.startsWith('https://www.neuronpedia.org/')) event.preventDefault()
  })
  void window.loadURL(`${pageOrigin}/`)
  return window
}

/** No page of ours needs a permission but the clipboard's. */
export function denyPermissions(): void {
  session.defaultSession.setPermissionRequestHandler((_contents, permission, answer) => answer(permission === 'clipboard-sanitized-write'))
  session.defaultSession.setPermissionCheckHandler((_contents, permission) => permission === 'clipboard-sanitized-write')
}
