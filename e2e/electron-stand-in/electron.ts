/**
 * Stands for the module `electron` in the main process, where Electron's binary cannot be had: what the app uses of it and nothing else, on a
 * real Chromium. What is not there throws. A test looks at it as it would through Playwright: see `e2e/electron-app.ts`.
 */
import { app as theApp } from './app.ts'
import { MessageChannelMain, ipcMain as theIpcMain } from './ipc.ts'
import { Menu } from './menu.ts'
import { closePrivileges, net as theNet, protocol as theProtocol } from './protocol.ts'
import { session as theSession } from './session.ts'
import { strict } from './strict.ts'
import { BrowserWindow, closeWindows, endChromium, startChromium } from './windows.ts'

export const app = strict('app', theApp)
export const ipcMain = strict('ipcMain', theIpcMain)
export const protocol = strict('protocol', theProtocol)
export const net = strict('net', theNet)
export const session = strict('session', { defaultSession: strict('session', theSession.defaultSession) })
export { BrowserWindow, Menu, MessageChannelMain }

/** A test puts its answers here; a dialog that nobody expected says so. */
function unexpected(what: string) {
  return (...args: unknown[]): never => {
    throw new Error(`the test expects no ${what} (${JSON.stringify(args.at(-1))})`)
  }
}

export const dialog = strict('dialog', {
  showOpenDialog: unexpected('dialog to open'),
  showSaveDialog: unexpected('dialog to save'),
  showMessageBox: unexpected('message box'),
  showErrorBox: (title: string, content: string) => console.error(`error box: ${title}: ${content}`)
})
export const shell = strict('shell', { openExternal: unexpected('page in the browser') })
export const screen = strict('screen', {
  getAllDisplays: () => [{ workArea: { x: 0, y: 0, width: 1920, height: 1040 } }]
})

const electron = { app, BrowserWindow, dialog, ipcMain, Menu, MessageChannelMain, net, protocol, screen, session, shell }

theApp.surround({
  start: async () => {
    const port = await startChromium()
    closePrivileges()
    process.send?.({ kind: 'ready', port })
  },
  end: endChromium,
  closeWindows
})

/** Runs a function of the test's with the module, as Playwright does in Electron. */
process.on('message', (message: { id: number; source: string; argument: unknown }) => {
  const { id, source, argument } = message
  // biome-ignore lint/security/noGlobalEval: the source is the test's own.
  const run = globalThis.eval(`(${source})`)
  Promise.resolve()
    .then(() => run(electron, argument))
    .then(
      value => process.send?.({ kind: 'answer', id, value }),
      error => process.send?.({ kind: 'answer', id, error: String(error?.stack ?? error) })
    )
})
// A test that is gone leaves no app behind.
process.on('disconnect', () => process.exit(1))
