/** The Electron app: windows, menu, dialogs, and an engine beside them that does the work. */
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { app, BrowserWindow, dialog } from 'electron'
import type { OpeningRequest } from '../contract/opening.ts'
import { answer } from './electron/channels.ts'
import { checkEngineFiles } from './electron/engine-files.ts'
import { type EnginePlace, engineInCheckout, packagedEngine } from './electron/engine-place.ts'
import { setMenu } from './electron/menu.ts'
import { Openings } from './electron/openings.ts'
import { registerPageScheme, servePages } from './electron/page-protocol.ts'
import { WindowPorts } from './electron/ports.ts'
import { parseArguments, parseLink } from './electron/request-parser.ts'
import { denyPermissions, lockPages, openWindow } from './electron/window.ts'
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

/** The engine to start. In a packaged app it must be as it was built; throws where it is not. */
async function findEngine(): Promise<EnginePlace> {
  if (!app.isPackaged) return engineInCheckout(app.getAppPath())
  // The engine's Node would load whatever this names.
  delete process.env.NODE_OPTIONS
  const engine = packagedEngine(process.resourcesPath)
  await checkEngineFiles(engine.folder, path.join(out, 'engine-files.json'))
  return engine
}

/** Starts the engine, and gives what opens a window on it. */
function start(place: EnginePlace): () => void {
  const engine = new EngineSupervisor({
    ...place,
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
async function choose(window: BrowserWindow, what: 'openDirectory' | 'openFile'): Promise<string | null> {
  const { filePaths } = await dialog.showOpenDialog(window, { properties: [what] })
  return filePaths[0] ?? null
}

/** A file to write that the person picks, or null. */
async function chooseSaveFile(window: BrowserWindow, name: unknown): Promise<string | null> {
  if (typeof name !== 'string') return null
  const { filePath, canceled } = await dialog.showSaveDialog(window, {
    defaultPath: path.basename(name),
    filters: [{ name: 'safetensors', extensions: ['safetensors'] }]
  })
  return canceled || filePath === '' ? null : filePath
}

/** What a command line asks for; a checkout's begins with the folder of the app. */
function requestsIn(argv: readonly string[], folder: string) {
  const args = argv.slice(1).filter(argument => app.isPackaged || path.resolve(folder, argument) !== app.getAppPath())
  return parseArguments(args, folder)
}

async function main(): Promise<void> {
  await app.whenReady()
  servePages(path.join(out, 'renderer'))
  denyPermissions()
  lockPages()
  setMenu()
  answer('choose-folder', window => choose(window, 'openDirectory'))
  answer('choose-file', window => choose(window, 'openFile'))
  answer('choose-save-file', chooseSaveFile)
  // What the system registers for links with a packaged app, its installer on Windows leaves out.
  if (app.isPackaged && process.platform === 'win32') app.setAsDefaultProtocolClient('splice')
  const open = start(await findEngine())
  open()
  app.on('activate', () => {
    if (BrowserWindow.getAllWindows().length === 0) open()
  })
}

if (app.requestSingleInstanceLock()) {
  app.enableSandbox()
  registerPageScheme()
  const openings = new Openings()
  const ask = (event: Electron.Event, request: OpeningRequest) => {
    event.preventDefault()
    void openings.ask([request])
  }
  // How a Mac tells what to open, perhaps before the app is ready; elsewhere it is in the command line.
  app.on('open-url', (event, url) => ask(event, parseLink(url)))
  app.on('open-file', (event, file) => ask(event, { kind: 'files', paths: [file] }))
  app.on('second-instance', (_event, argv, folder) => void openings.ask(requestsIn(argv, folder)))
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin') app.quit()
  })
  void openings.ask(requestsIn(process.argv, process.cwd()))
  main().catch(thrown => {
    dialog.showErrorBox('Splice does not start', thrown instanceof Error ? thrown.message : String(thrown))
    app.exit(1)
  })
} else app.quit()
