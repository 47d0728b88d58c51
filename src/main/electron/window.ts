/** The window: sandboxed, without Node, going nowhere but to its own page. */
import path from 'node:path'
import { BrowserWindow, session, shell } from 'electron'
import { pageOrigin } from './page-protocol.ts'

/** Opens the workbench's window. `preload` is the built preload's path. */
export function openWindow(preload: string): BrowserWindow {
  const window = new BrowserWindow({
    width: 1440,
    height: 900,
    minWidth: 1024,
    minHeight: 640,
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
  window.once('ready-to-show', () => window.show())
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
