/** The workbench as a person has it: `splice serve` and a browser tab on it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterEach } from 'vitest'
import { launchChromium } from './chromium.ts'
import { command, root } from './command-line.ts'

/** A running host and one tab. `problems` gathers what the page logged as an error. */
export interface Workbench {
  readonly page: Page
  readonly url: string
  readonly home: string
  readonly problems: string[]
  close(): Promise<void>
}

/**
 * Starts `splice serve` in a home and opens its URL; the demo has been run when this settles. A home that has no settings yet is given
 * those of a person who has taken the tour; to see it as at a first start, write settings before.
 */
export async function openWorkbench(home: string, env: Record<string, string> = {}): Promise<Workbench> {
  const settings = join(home, 'settings.json')
  if (!existsSync(settings)) writeFileSync(settings, JSON.stringify({ tourSeen: true }))
  const host = spawn(command, ['serve', '--no-open'], {
    cwd: root,
    env: { ...process.env, SPLICE_HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let browser: Browser | undefined
  try {
    const url = await firstLine(host)
    browser = await launchChromium()
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, colorScheme: 'light' })
    page.setDefaultTimeout(30_000)
    const problems: string[] = []
    page.on('pageerror', error => problems.push(String(error)))
    page.on('console', message => {
      if (message.type() === 'error') problems.push(message.text())
    })
    await page.goto(url)
    await page.getByTestId('summary').waitFor()
    return {
      page,
      url,
      home,
      problems,
      close: async () => {
        await browser?.close()
        await stop(host)
      }
    }
  } catch (thrown) {
    await browser?.close()
    await stop(host)
    throw thrown
  }
}

/** Types a prompt, presses Enter and waits until its numbers are shown. */
export async function runPrompt(page: Page, prompt: string): Promise<void> {
  await page.getByTestId('prompt').fill(prompt)
  await startRun(page)
}

/** Presses Enter in the prompt and waits for a result that came after it. */
export function startRun(page: Page): Promise<void> {
  return afterRun(page, () => page.getByTestId('prompt').press('Enter'))
}

/** Does what starts a run, and waits until its numbers are on screen. Runs must not overlap: the page marks each one alike. */
export async function afterRun(page: Page, start: () => Promise<void>): Promise<void> {
  await page.evaluate(() => performance.clearMarks('splice:run-shown'))
  await start()
  await page.waitForFunction(() => performance.getEntriesByName('splice:run-shown').length > 0)
}

/** The values of a strip in order of position, as the numbers behind the boxes; null where a box has none. */
export async function stripValues(page: Page, strip: string, attribute: 'data-logprob' | 'data-difference'): Promise<(number | null)[]> {
  const cells = await page
    .getByTestId(strip)
    .locator('[data-position]')
    .evaluateAll(
      (elements, name) => elements.map(element => [Number(element.getAttribute('data-position')), element.getAttribute(name)] as const),
      attribute
    )
  const values: (number | null)[] = []
  for (const [position, text] of cells) values[position] = text === null || text === '' ? null : Number(text)
  return values
}

/** The id of a process that the status bar names. */
export async function processShown(page: Page, testid: 'status-engine' | 'status-inference'): Promise<number> {
  const title = await page.getByTestId(testid).getAttribute('title')
  const id = Number(/process (\d+)/.exec(title ?? '')?.[1])
  if (!Number.isInteger(id)) throw new Error(`${testid} names no process: ${title}`)
  return id
}

/** Keeps a picture of the page, in test-results, whenever a test of this file fails. */
export function keepPictureOfFailures(page: () => Page | undefined): void {
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return
    await page()?.screenshot({ path: join(root, 'test-results', `failed-${task.name.replaceAll(/\W+/g, '-').slice(0, 60)}.png`) })
  })
}

/** The URL that `splice serve` prints as its first line. */
async function firstLine(host: ChildProcess): Promise<string> {
  let text = ''
  const out = host.stdout
  if (out === null) throw new Error('the host has no stdout')
  for await (const chunk of out) {
    text += String(chunk)
    const url = /https?:\/\/\S+/.exec(text)?.[0]
    if (url !== undefined && text.includes('\n')) return url
  }
  throw new Error(`splice serve ended without a URL: ${text}`)
}

async function stop(host: ChildProcess): Promise<void> {
  if (host.exitCode !== null || host.signalCode !== null) return
  const ended = once(host, 'exit')
  host.kill('SIGINT')
  await ended
}
