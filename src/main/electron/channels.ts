/** The channels between pages and the shell: each hears the top frame of our own page, and nobody else. */
import { BrowserWindow, ipcMain, type WebContents, type WebFrameMain } from 'electron'
import { pageOrigin } from './page-protocol.ts'

/** True for the top frame of one of our own pages. */
function isOurPage(frame: WebFrameMain | null): boolean {
  return frame !== null && frame.parent === null && frame.url.startsWith(`${pageOrigin}/`)
}

/** Hears what pages say on a channel; what comes from elsewhere is dropped. */
export function hear(channel: string, listen: (sender: WebContents, said: unknown) => void): void {
  ipcMain.on(channel, (event, said: unknown) => {
    if (isOurPage(event.senderFrame)) listen(event.sender, said)
  })
}

/** Answers what pages ask on a channel; a question from elsewhere fails. */
export function answer(channel: string, reply: (window: BrowserWindow, asked: unknown) => unknown): void {
  ipcMain.handle(channel, (event, asked: unknown) => {
    const window = BrowserWindow.fromWebContents(event.sender)
    if (window === null || !isOurPage(event.senderFrame)) throw new Error(`${channel} is for the window's own page alone`)
    return reply(window, asked)
  })
}
