/** The Electron app: windows, menu, dialogs, and an engine beside them that does the work. */
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { app, BrowserWindow, dialog, ipcMain } from 'electron'
import { setMenu } from './electron/menu.ts'
import { nodeBinary } from './electron/node-binary.ts'
import { registerPageScheme, servePages } from './electron/page-protocol.ts'
import { isOurPage, WindowPorts } from './electron/ports.ts'
import { denyPermissions, openWindow } from './electron/window.ts'
import { PlaceKeeper } from './electron/window-place.ts'
import { EngineConnection } from './engine/engine-client.ts'
import { EngineSupervisor } from './engine/supervisor.ts'

/** How long a window waits for where it was last, and the end for where it is now, in ms. */
const placePatience = 3000

const out = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

/** A promise's value, or null when it takes too long or fails. */
function soon<Value>(promise: Promise<Value>): Promise<Value | null> {
  return Promise.race([promise.catch(() => null), wait(placePatience, null, { ref: false })])
}

/** Starts the engine, and gives what opens a window on it. */
function start(): () => void {
  const engine = new EngineSupervisor({
    node: nodeBinary(app.getAppPath(), process.resourcesPath),
    onStart: () => ports.connectAll(),
    onDeath: ({ reason, isFinal }) => {
      ports.disconnectAll()
      if (isFinal) dialog.showErrorBox('The engine does not run', `${reason}\n\nRestart the app when that is mended.`)
    }
  })
  const ports = new WindowPorts(engine)
  engine.start()
  const { client } = new EngineConnection(engine)
  let keeper: PlaceKeeper | null = null
  let isEnded = false
  app.on('before-quit', event => {
    if (isEnded) return
    event.preventDefault()
    void soon(keeper?.settled() ?? Promise.resolve())
      .then(() => engine.close())
      .finally(() => {
        isEnded = true
        app.quit()
      })
  })
  return () => {
    const last = soon(client.engine.settings()).then(settings => settings?.window ?? null)
    const window = openWindow(path.join(out, 'preload', 'index.cjs'), last)
    keeper = new PlaceKeeper(window, place => client.engine.changeSettings({ window: place }))
  }
}

/** A folder or a file that the person picks, or null. */
async function choose(event: Electron.IpcMainInvokeEvent, what: 'openDirectory' | 'openFile'): Promise<string | null> {
  const window = BrowserWindow.fromWebContents(event.sender)
  if (window === null || !isOurPage(event.senderFrame)) return null
  const { filePaths } = await dialog.showOpenDialog(window, { properties: [what] })
  return filePaths[0] ?? null
}

/** A file to write that the person picks, or null. */
async function chooseSaveFile(event: Electron.IpcMainInvokeEvent, name: unknown): Promise<string | null> {
  const window = BrowserWindow.fromWebContents(event.sender)
  if (window === null || !isOurPage(event.senderFrame) || typeof name !== 'string') return null
  const { filePath, canceled } = await dialog.showSaveDialog(window, {
    defaultPath: path.basename(name),
    filters: [{ name: 'safetensors', extensions: ['safetensors'] }]
  })
  return canceled || filePath === '' ? null : filePath
}

if (app.requestSingleInstanceLock()) {
  registerPageScheme()
  app.on('second-instance', () => {
    const [window] = BrowserWindow.getAllWindows()
    if (window?.isMinimized()) window.restore()
    window?.focus()
  })
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit()
  })
  app
    .whenReady()
    .then(() => {
      servePages(path.join(out, 'renderer'))
      denyPermissions()
      setMenu()
      ipcMain.handle('choose-folder', event => choose(event, 'openDirectory'))
      ipcMain.handle('choose-file', event => choose(event, 'openFile'))
      ipcMain.handle('choose-save-file', chooseSaveFile)
      const open = start()
      open()
      app.on('activate', () => {
        if (BrowserWindow.getAllWindows().length === 0) open()
      })
    })
    .catch(thrown => {
      dialog.showErrorBox('Splice does not start', String(thrown))
      app.exit(1)
    })
} else app.quit()
