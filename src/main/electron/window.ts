/** The window: sandboxed, without Node, going nowhere but to its own page. */
import path from 'node:path'
import { app, BrowserWindow, screen, session, shell } from 'electron'
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
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: false,
      devTools: !app.isPackaged
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
  void window.loadURL(`${pageOrigin}/`)
  return window
}

/** A page that the person's browser may show: https, of a host, without credentials. */
function externalPage(link: string): string | null {
  const url = URL.parse(link)
  return url?.protocol === 'https:' && url.host !== '' && url.username === '' && url.password === '' ? url.href : null
}

/** Keeps all pages where they are: no other windows, no webviews, no going elsewhere. Call before the first window. */
export function lockPages(): void {
  app.on('web-contents-created', (_event, contents) => {
    contents.setWindowOpenHandler(({ url }) => {
      const page = externalPage(url)
      if (page !== null) void shell.openExternal(page)
      return { action: 'deny' }
    })
    // The one frame is Neuronpedia's dashboard, and goes nowhere else.
    contents.on('will-frame-navigate', event => {
      if (!event.url.startsWith(event.isMainFrame ? `${pageOrigin}/` : 'https://www.neuronpedia.org/')) event.preventDefault()
    })
    contents.on('will-redirect', event => event.isMainFrame && event.preventDefault())
    contents.on('will-attach-webview', event => event.preventDefault())
  })
}

/** Nobody needs a permission but our own page, which writes to the clipboard. */
export function denyPermissions(): void {
  const mayWrite = (permission: string, url: string | undefined, isMainFrame: boolean) =>
    permission === 'clipboard-sanitized-write' && isMainFrame && url?.startsWith(`${pageOrigin}/`) === true
  const { defaultSession } = session
  defaultSession.setPermissionRequestHandler((_contents, permission, reply, { requestingUrl, isMainFrame }) =>
    reply(mayWrite(permission, requestingUrl, isMainFrame))
  )
  defaultSession.setPermissionCheckHandler((_contents, permission, _origin, { requestingUrl, isMainFrame }) =>
    mayWrite(permission, requestingUrl, isMainFrame)
  )
  defaultSession.setDevicePermissionHandler(() => false)
}
