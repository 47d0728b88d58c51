/**
 * A page of a Chromium that is asked over its debugging protocol for nothing but what is measured: drivers that also watch the network
 * read every message of a page along with it, which takes longer than the page does.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { WebSocket } from 'ws'
import { z } from 'zod'
import { chromiumCommand } from '../e2e/chromium.ts'

const message = z.object({
  id: z.int().optional(),
  method: z.string().optional(),
  params: z.record(z.string(), z.unknown()).optional(),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.object({ message: z.string() }).optional()
})

export interface PlainPage {
  send(method: string, params?: Record<string, unknown>): Promise<Record<string, unknown>>
  on(method: string, listener: (params: Record<string, unknown>) => void): void
  /** The value of an expression in the page, awaited. */
  evaluate(expression: string): Promise<unknown>
  close(): Promise<void>
}

/** Opens a URL at 1280x800. */
export async function openPlainPage(url: string): Promise<PlainPage> {
  const { executablePath, args } = chromiumCommand()
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-bench-profile-'))
  const headless = ['--headless=new', '--disable-gpu', '--remote-debugging-port=0', `--user-data-dir=${profile}`, '--window-size=1280,800']
  const browser = spawn(executablePath, [...args, ...headless, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const port = await new Promise<string>((resolve, reject) => {
    let text = ''
    browser.once('exit', () => reject(new Error(`Chromium ended: ${text}`)))
    browser.stderr.on('data', chunk => {
      text += String(chunk)
      const found = /ws:\/\/127\.0\.0\.1:(\d+)\//.exec(text)?.[1]
      if (found !== undefined) resolve(found)
    })
  })
  const targets = z
    .array(z.object({ type: z.string(), webSocketDebuggerUrl: z.string() }))
    .parse(await (await fetch(`http://127.0.0.1:${port}/json/list`)).json())
  const socket = new WebSocket(targets.find(({ type }) => type === 'page')?.webSocketDebuggerUrl ?? '')
  await once(socket, 'open')

  const waiting = new Map<number, (answer: z.infer<typeof message>) => void>()
  const listeners = new Map<string, (params: Record<string, unknown>) => void>()
  let count = 0
  socket.on('message', data => {
    const read = message.parse(JSON.parse(String(data)))
    if (read.id !== undefined) waiting.get(read.id)?.(read)
    else if (read.method !== undefined) listeners.get(read.method)?.(read.params ?? {})
  })
  const send = async (method: string, params: Record<string, unknown> = {}) => {
    const id = ++count
    const answered = new Promise<z.infer<typeof message>>(resolve => waiting.set(id, resolve))
    socket.send(JSON.stringify({ id, method, params }))
    const { result, error } = await answered
    waiting.delete(id)
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result ?? {}
  }
  await send('Page.navigate', { url })
  return {
    send,
    on: (method, listener) => listeners.set(method, listener),
    evaluate: async expression => {
      const { result } = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
      return z.object({ value: z.unknown().optional() }).parse(result).value
    },
    close: async () => {
      socket.close()
      const ended = once(browser, 'exit')
      browser.kill()
      await ended
      fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    }
  }
}
