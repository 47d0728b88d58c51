/** All features of a prompt: ranked over chosen tokens, seen as a heat map, followed through the strip, variants and runs. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunResult, runResult } from '../../src/contract/run.ts'
import { photograph } from '../chromium.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { afterRun, keepPictureOfFailures, openWorkbench, type Workbench } from '../workbench.ts'

const wormhole = 'Would you be able to travel through time using a wormhole?'
const otherHome = temporaryFolder()
let workbench: Workbench
let page: Page
/** The same run with every feature of every token, from an engine of its own. */
let engine: RunResult

beforeAll(async () => {
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  await page.waitForFunction(() =>
    /4,138 explanations, 4\s+sources$/.test(document.querySelector('[data-testid="status-mirror"]')?.textContent?.trim() ?? '')
  )
  const args = ['--sae', `l0_15=${demo.sae}`, '--variants', 'clean', '--top-features', '1000', '--prompt', wormhole, '--json']
  engine = runResult.parse(JSON.parse((await splice(['run', '--model', demo.model, ...args], { home: otherHome })).stdout))
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

/** Features ranked as a person would, from the engine's lists: largest activation first. */
function expectedRanking(positions: readonly number[]): { index: number; max: number; mean: number; count: number }[] {
  const lists = engine.saes[0]?.byVariant.clean?.features ?? []
  const found = new Map<number, number[]>()
  for (const position of positions) {
    for (const { index, activation } of lists[position] ?? []) found.set(index, [...(found.get(index) ?? []), Number(activation)])
  }
  return [...found]
    .map(([index, values]) => ({
      index,
      max: Math.max(...values),
      mean: values.reduce((sum, value) => sum + value, 0) / positions.length,
      count: values.length
    }))
    .sort((a, b) => b.max - a.max)
}

/** The first rows of the ranking on screen. */
function ranking(count: number) {
  return page
    .getByTestId('ranking')
    .locator('[data-feature]')
    .evaluateAll(
      (rows, most) =>
        rows.slice(0, most).map(row => ({
          index: Number(row.getAttribute('data-feature')),
          max: Number(row.getAttribute('data-max')),
          mean: Number(row.getAttribute('data-mean')),
          count: Number(row.getAttribute('data-count'))
        })),
      count
    )
}

const close = (rows: ReturnType<typeof expectedRanking>) =>
  rows.map(({ index, max, mean, count }) => ({ index, max: expect.closeTo(max, 3), mean: expect.closeTo(mean, 3), count }))
const words = Array.from({ length: 13 }, (_, at) => at + 1)

describe('the ranking', () => {
  test('has every feature that fires on the prompt, by its largest activation, BOS left out', async () => {
    await page.getByTestId('nav-features').click()
    await page.getByTestId('ranking').locator('[data-feature]').first().waitFor()
    const expected = expectedRanking(words)
    expect(await ranking(8)).toEqual(close(expected.slice(0, 8)))
    expect(await page.getByTestId('ranking-count').textContent()).toBe(`${expected.length} features fire on the 13 chosen tokens`)
    const first = engine.saes[0]?.byVariant.clean?.features.flat().find(({ index }) => index === expected[0]?.index)
    for (const { description } of first?.explanations ?? []) {
      await expect.poll(() => page.getByTestId(`ranked-${expected[0]?.index}`).textContent()).toContain(description)
    }
    await photograph(page, 'features')
  })

  test('follows the tokens that are typed or clicked, and says what it cannot read', async () => {
    await page.getByTestId('features-tokens').fill('3-4, 11')
    await expect.poll(() => ranking(6)).toEqual(close(expectedRanking([3, 4, 11]).slice(0, 6)))
    await page.getByTestId('feature-strip-clean').locator('[data-position="11"]').click()
    expect(await page.getByTestId('features-tokens').inputValue()).toBe('3-4')
    await page.getByTestId('feature-strip-clean').locator('[data-position="6"]').click()
    await page.keyboard.press('Shift+ArrowRight')
    expect(await page.getByTestId('features-tokens').inputValue()).toBe('6-7')
    expect(await ranking(6)).toEqual(close(expectedRanking([6, 7]).slice(0, 6)))
    await page.getByTestId('features-tokens').fill('9-2')
    expect(await page.getByRole('alert').textContent()).toContain('“9-2” names no tokens')
    await page.getByTestId('features-all').click()
  })

  test('takes special tokens in, and ranks by mean or count', async () => {
    await page.getByTestId('features-special').check()
    await expect.poll(() => ranking(4)).toEqual(close(expectedRanking([0, ...words]).slice(0, 4)))
    await page.getByTestId('features-special').uncheck()
    await page.getByTestId('rank-by-mean').click()
    const byMean = expectedRanking(words).sort((a, b) => b.mean - a.mean)
    expect(await ranking(6)).toEqual(close(byMean.slice(0, 6)))
    await page.getByTestId('features-measure').selectOption('count')
    const counts = (await ranking(12)).map(({ count }) => count)
    expect(counts).toEqual([...counts].sort((a, b) => b - a))
    expect(counts[0]).toBe(Math.max(...byMean.map(({ count }) => count)))
    await page.getByTestId('features-measure').selectOption('max')
  })

  test('leaves out features above a density', async () => {
    const all = Number(/^[\d,]+/.exec((await page.getByTestId('ranking-count').textContent()) ?? '')?.[0].replace(',', ''))
    await page.getByTestId('features-density').selectOption('0.02')
    const fewer = Number(/^[\d,]+/.exec((await page.getByTestId('ranking-count').textContent()) ?? '')?.[0].replace(',', ''))
    expect(fewer).toBeGreaterThan(0)
    expect(fewer).toBeLessThan(all)
    const densities = await page.getByTestId('ranking').locator('[data-feature] [role="gridcell"]:nth-child(8)').allTextContents()
    for (const density of densities) expect(density === '' ? 0 : Number.parseFloat(density)).toBeLessThanOrEqual(2)
    await page.getByTestId('features-density').selectOption('')
  })

  test('copies as TSV, every feature in the order shown', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByTestId('features-copy').click()
    const rows = (await page.evaluate(() => navigator.clipboard.readText())).split('\n').map(line => line.split('\t'))
    expect(rows[0]?.slice(3, 6)).toEqual(['rank', 'feature', 'max'])
    expect(rows.slice(1).map(row => Number(row[4]))).toEqual(expectedRanking(words).map(({ index }) => index))
  })
})

describe('a feature', () => {
  test('is followed by keyboard, and the strip shows where it fires in every variant', async () => {
    const [first, second] = expectedRanking(words)
    await page.getByTestId(`ranked-${first?.index}`).click()
    await page.getByTestId(`ranked-${first?.index}`).press('ArrowDown')
    expect(await page.getByTestId('followed').textContent()).toBe(String(second?.index))
    const lists = engine.saes[0]?.byVariant.clean?.features ?? []
    const onScreen = await page
      .getByTestId('feature-strip-clean')
      .locator('[data-activation]')
      .evaluateAll(cells => cells.map(cell => Number(cell.getAttribute('data-activation'))))
    const expected = lists.map(list => Number(list.find(({ index }) => index === second?.index)?.activation ?? 0))
    expect(onScreen).toEqual(expected.map(value => expect.closeTo(value, 3)))
    for (const variant of ['clean', 'spliced: l0_15', 'spliced: l0_3']) {
      expect(await page.getByTestId(`feature-strip-${variant}`).count()).toBeGreaterThan(0)
      expect(await page.getByTestId(`followed-${variant}`).count()).toBe(1)
    }
    await photograph(page, 'features-followed')
  })

  test('stands in the address, and a click in the heat map chooses another with its token', async () => {
    const followed = await page.getByTestId('followed').textContent()
    await expect.poll(() => page.evaluate(() => location.hash)).toContain(`feature=${followed}`)
    const heatmap = page.getByTestId('heatmap')
    const [x = 0, y = 0, width = 0, height = 0] = ((await heatmap.getAttribute('data-plot')) ?? '').split(' ').map(Number)
    const [third, , fifth] = [4, 0, 2]
    await heatmap.click({ position: { x: x + ((third + 0.5) / 13) * width, y: y + ((fifth + 0.5) / 20) * height } })
    expect(await page.getByTestId('followed').textContent()).toBe(String(expectedRanking(words)[fifth]?.index))
    expect(await page.getByTestId('feature-strip-clean').locator('.selected').getAttribute('data-position')).toBe('5')
    await heatmap.press('ArrowDown')
    expect(await page.getByTestId('followed').textContent()).toBe(String(expectedRanking(words)[fifth + 1]?.index))
    await page.getByTestId('heat-table').click()
    const top = expectedRanking(words)[0]
    const cells = await page.getByTestId('firing-table').locator('tbody tr:not([aria-hidden])').first().locator('td').allTextContents()
    expect(cells[0]).toBe(String(top?.index))
    await photograph(page, 'features-table')
    await page.getByTestId('heat-table').click()
  })

  test('is followed into the next run, with the run before beside it', async () => {
    const followed = await page.getByTestId('followed').textContent()
    await page.getByTestId('prompt').fill('The spaceship flew through the wormhole.')
    await afterRun(page, () => page.getByTestId('prompt').press('Enter'))
    await page.getByTestId('earlier-runs').waitFor()
    expect(await page.getByTestId('followed').textContent()).toBe(followed)
    expect(await page.getByTestId('earlier-runs').textContent()).toContain('Would you be able')
    await photograph(page, 'features-earlier')
    await page.getByTestId('feature-page-link').click()
    await page.locator(`[data-testid="feature-page"][data-index="${followed}"]`).waitFor()
    await page.goBack()
    await page.getByTestId('followed').waitFor()
    await page.keyboard.press('Escape')
    await expect.poll(() => page.getByTestId('followed').count()).toBe(0)
  })
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
