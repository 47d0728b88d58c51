/** Variants side by side: their order and baseline, what differs, several pinned tokens, and charts with one selection. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunResult, runResult } from '../../src/contract/run.ts'
import { photograph } from '../chromium.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, startRun, stripValues, type Workbench } from '../workbench.ts'

const wormhole = 'Would you be able to travel through time using a wormhole?'
const otherHome = temporaryFolder()
let workbench: Workbench
let page: Page
let engine: RunResult

beforeAll(async () => {
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.waitForFunction(() =>
    /4,138 explanations, 4\s+sources$/.test(document.querySelector('[data-testid="status-mirror"]')?.textContent?.trim() ?? '')
  )
  await startRun(page)
  const args = ['--sae', `l0_15=${demo.sae}`, '--sae', `l0_3=${demo.roughSae}`, '--variant', 'l0_15=l0_15', '--variant', 'l0_3=l0_3']
  const { stdout } = await splice(
    ['run', '--model', demo.model, ...args, '--prompt', wormhole, '--splice-positions', 'no-special', '--json'],
    { home: otherHome }
  )
  engine = runResult.parse(JSON.parse(stdout))
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

function logProbsOf(variant: string): number[] {
  return (engine.variants.find(({ name }) => name === variant)?.logProbs ?? []).map(value => Number(value ?? Number.NaN))
}

const order = () =>
  page
    .getByTestId('variant-order')
    .locator('button')
    .evaluateAll(chips => chips.map(chip => chip.getAttribute('data-testid')))
const copied = async () => (await page.evaluate(() => navigator.clipboard.readText())).split('\n').map(line => line.split('\t'))

/** Positions of the boxes of the clean strip. */
function positionsShown(): Promise<number[]> {
  return page
    .getByTestId('strip-clean')
    .locator('[data-position]')
    .evaluateAll(cells => cells.map(cell => Number(cell.getAttribute('data-position'))))
}

/** The positions whose log-prob changed against clean in any variant, by what `of` makes of the difference in nats. */
function differing(least: number, of: (difference: number) => number): number[] {
  const clean = logProbsOf('clean')
  return clean.flatMap((before, position) =>
    ['l0_15', 'l0_3'].some(name => of((logProbsOf(name)[position] ?? Number.NaN) - before) >= least) ? [position] : []
  )
}

describe('the order of variants', () => {
  test('has the baseline first; Alt with an arrow moves a variant, and what is compared follows', async () => {
    expect(await order()).toEqual(['order-clean', 'order-spliced: l0_15', 'order-spliced: l0_3'])
    await page.getByTestId('order-spliced: l0_3').focus()
    await page.keyboard.press('Alt+ArrowLeft')
    expect(await order()).toEqual(['order-clean', 'order-spliced: l0_3', 'order-spliced: l0_15'])
    await page.keyboard.press('Alt+ArrowLeft')
    expect(await order()).toEqual(['order-spliced: l0_3', 'order-clean', 'order-spliced: l0_15'])
    await page.getByTestId('difference-variant').selectOption('spliced: l0_15')
    const differences = await stripValues(page, 'strip-difference', 'data-difference')
    const expected = logProbsOf('l0_15').map((value, position) => value - (logProbsOf('l0_3')[position] ?? Number.NaN))
    for (let position = 1; position < 14; position++) expect(differences[position]).toBeCloseTo(expected[position] ?? Number.NaN, 4)
    const increase = Number(await page.getByTestId('loss-increase-clean').first().getAttribute('data-value'))
    expect(increase).toBeCloseTo(Number(engine.variants[0]?.loss) - Number(engine.variants.find(({ name }) => name === 'l0_3')?.loss), 4)
    await photograph(page, 'compare-order')
  })

  test('is changed by dragging, and outlives a run', async () => {
    await page.getByTestId('order-clean').dragTo(page.getByTestId('order-spliced: l0_3'))
    expect(await order()).toEqual(['order-clean', 'order-spliced: l0_3', 'order-spliced: l0_15'])
    await startRun(page)
    expect(await order()).toEqual(['order-clean', 'order-spliced: l0_3', 'order-spliced: l0_15'])
    await page.getByTestId('order-spliced: l0_15').dragTo(page.getByTestId('order-spliced: l0_3'))
    expect(await order()).toEqual(['order-clean', 'order-spliced: l0_15', 'order-spliced: l0_3'])
  })
})

describe('differences', () => {
  test('above a threshold in nats or per cent are shown alone, in strips and tables', async () => {
    const all = await positionsShown()
    await page.getByTestId('only-differences').check()
    await page.getByTestId('least-difference').fill('0.5')
    const inNats = differing(0.5, Math.abs)
    expect(inNats.length).toBeGreaterThan(0)
    expect(inNats.length).toBeLessThan(all.length)
    await expect.poll(positionsShown).toEqual(inNats)
    await page.getByTestId('difference-unit').selectOption('percent')
    await page.getByTestId('least-difference').fill('20')
    const inPercent = differing(20, difference => 100 * Math.abs(Math.expm1(difference)))
    await expect.poll(positionsShown).toEqual(inPercent)
    expect(await page.getByTestId('differing-count').textContent()).toBe(`${inPercent.length} of 15 differ`)
    await photograph(page, 'compare-differences')
    await page.getByTestId('chart-table').click()
    const rows = page.getByTestId('position-table').locator('[data-position]')
    expect(await rows.evaluateAll(elements => elements.map(row => Number(row.getAttribute('data-position'))))).toEqual(inPercent)
    await page.getByTestId('chart-table').click()
    await page.getByTestId('least-difference').fill('1000000')
    await page.getByTestId('no-differences').waitFor()
    await page.getByTestId('only-differences').uncheck()
    expect(await positionsShown()).toEqual(all)
  })

  test('stand as numbers in the boxes where they are wanted', async () => {
    await page.getByTestId('strip-numbers').check()
    expect(await page.getByTestId('strip-clean').locator('[data-position="3"]').textContent()).toContain(logProbsOf('clean')[3]?.toFixed(3))
    await photograph(page, 'compare-numbers')
    await page.getByTestId('strip-numbers').uncheck()
  })
})

describe('several pinned tokens', () => {
  test('stand side by side with what each variant predicted and what moved', async () => {
    for (const position of [6, 11, 13]) {
      await page.getByTestId('strip-clean').locator(`[data-position="${position}"]`).click()
      await page.keyboard.press('Shift')
    }
    await page.getByTestId('tab-pinned').click()
    for (const position of [6, 11, 13]) {
      const card = page.getByTestId(`pinned-${position}`)
      const guess = engine.variants.find(({ name }) => name === 'l0_3')?.topK[position - 1]?.[0]
      expect(await card.getByTestId('top-spliced: l0_3-0').getAttribute('data-id')).toBe(String(guess?.id))
    }
    await photograph(page, 'compare-pinned')
  })

  test('copy as TSV, a row per guess, and a token alone from the inspector', async () => {
    await page.getByTestId('pins-copy').click()
    await expect.poll(async () => (await copied()).length).toBe(1 + 3 * 3 * 10)
    const [header, ...rows] = await copied()
    expect(header?.slice(0, 6)).toEqual(['position', 'id', 'token', 'variant', 'rank', 'log-prob'])
    expect([...new Set(rows.map(row => row[0]))]).toEqual(['6', '11', '13'])
    expect(Number(rows[0]?.[5])).toBeCloseTo(logProbsOf('clean')[6] ?? Number.NaN, 5)
    await page.getByTestId('token-copy').click()
    await expect.poll(async () => [...new Set((await copied()).slice(1).map(row => row[0]))]).toEqual(['13'])
  })

  test('go one by one with Esc', async () => {
    await page.getByTestId('strip-clean').locator('[data-position="13"]').focus()
    await page.keyboard.press('Escape')
    expect(await page.getByTestId('tab-pinned').textContent()).toBe('Pinned (2)')
    await page.getByTestId('pins-clear').click()
    expect(await page.getByTestId('tab-pinned').textContent()).toBe('Pinned')
    await page.getByTestId('tab-overview').click()
  })
})

describe('charts', () => {
  test('show L0 by position, and their table has it', async () => {
    await page.getByTestId('chart-table').click()
    const row = page.getByTestId('position-table').locator('[data-position="6"]')
    const cells = await row.locator('td').allTextContents()
    expect(cells.slice(-2)).toEqual(engine.saes.map(sae => String(sae.byVariant.clean?.active[6])))
    await page.getByTestId('chart-table').click()
    await page.getByTestId('chart').waitFor()
  })

  test('a point of the scatter is a token, selected and pinned everywhere', async () => {
    await page.getByTestId('chart-scatter').click()
    const scatter = page.getByTestId('scatter')
    expect(await scatter.getAttribute('data-points')).toBe(String(2 * 13))
    await page.getByTestId('strip-clean').locator('[data-position="4"]').click()
    const ring = scatter.getByTestId('scatter-selected')
    await expect.poll(() => ring.count()).toBe(2)
    await photograph(page, 'compare-scatter')
    // The most surprising token stands apart from the others.
    const clean = logProbsOf('clean')
    const farthest = clean.indexOf(Math.min(...clean.slice(1)))
    await page.getByTestId('strip-clean').locator(`[data-position="${farthest}"]`).click()
    await scatter.scrollIntoViewIfNeeded()
    const box = await ring.first().boundingBox()
    await page.keyboard.press('Escape')
    await page.mouse.click((box?.x ?? 0) + 7, (box?.y ?? 0) + 7)
    const selected = page.getByTestId('strip-clean').locator('[aria-selected="true"]')
    await expect.poll(() => selected.getAttribute('data-position')).toBe(String(farthest))
    await page.getByTestId('chart-by-position').click()
    await page.getByTestId('chart').waitFor()
    await photograph(page, 'compare-charts')
  })
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
