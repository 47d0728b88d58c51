/** Keeps what the app is asked to open until a page takes it; what a link names on this disk is opened only if the person agrees. */
import { app, BrowserWindow, dialog } from 'electron'
import type { OpeningRequest } from '../../contract/opening.ts'
import { answer } from './channels.ts'

export class Openings {
  #waiting: OpeningRequest[] = []

  constructor() {
    answer('take-openings', () => this.#waiting.splice(0))
  }

  /** Brings the window forward and has it open what is asked for */
  async ask(requests: readonly OpeningRequest[]): Promise<void> {
    await app.whenReady()
    const [window] = BrowserWindow.getAllWindows()
    if (window?.isMinimized()) window.restore()
    window?.focus()
    for (const request of requests) {
      if (request.kind !== 'link' || (await agreesTo(request, window))) this.#waiting.push(request)
      for (const { webContents } of BrowserWindow.getAllWindows()) webContents.send('opening-waits')
    }
  }
}

async function agreesTo({ model, saes }: OpeningRequest & { kind: 'link' }, window: BrowserWindow | undefined): Promise<boolean> {
  const options = {
    type: 'question' as const,
    message: 'Open what a link names?',
    detail: [model, ...saes].filter(path => path !== undefined).join('\n'),
    buttons: ['Open', 'Cancel'],
    defaultId: 1,
    cancelId: 1,
    noLink: true
  }
  const { response } = await (window === undefined ? dialog.showMessageBox(options) : dialog.showMessageBox(window, options))
  return response === 0
}
