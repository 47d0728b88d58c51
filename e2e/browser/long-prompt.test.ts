/** Prompts of thousands of tokens: strips, tables and charts draw what is in sight, and every token is reached. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { photograph } from '../chromium.ts'
import { temporaryFolder } from '../command-line.ts'
import { makeLongContextModel } from '../long-context-model.ts'
import { afterRun, keepPictureOfFailures, openWorkbench, runPrompt, type Workbench } from '../workbench.ts'

const folder = temporaryFolder()
const sentence = 'Would you be able to travel through time using a wormhole?'
let workbench: Workbench
let page: Page
let count: number

beforeAll(async () => {
  const { model, sae } = await makeLongContextModel(folder)
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  const open = (picker: 'model-picker' | 'add-sae', path: string) =>
    afterRun(page, async () => {
      await page.getByTestId(picker).click()
      await page.getByTestId('path-field').fill(path)
      await page.getByTestId('path-field').press('Enter')
    })
  await open('model-picker', model)
  await open('add-sae', sae)
  await runPrompt(page, Array.from({ length: 310 }, () => sentence).join(' '))
  await page.waitForFunction(() => /[4-9],\d{3} tokens/.test(document.querySelector('[data-testid="token-count"]')?.textContent ?? ''))
  count = Number(/([\d,]+) tokens/.exec((await page.getByTestId('token-count').textContent()) ?? '')?.[1]?.replace(',', ''))
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

const cells = () => page.locator('[data-testid^="strip-"] [data-position]').count()

test('only the boxes in sight are drawn, and the keyboard reaches the last one', async () => {
  expect(count).toBeGreaterThan(4000)
  expect(await page.locator('[data-testid^="strip-spliced"]').count()).toBeGreaterThan(0)
  expect(await cells()).toBeLessThan(900)
  await page.getByTestId('strip-clean').first().locator('[data-position="3"]').click()
  await page.keyboard.press('End')
  await expect.poll(() => page.getByTestId('token-next').count()).toBeGreaterThan(0)
  expect(await page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe('token-next')
  expect(await page.getByTestId('inspector').getAttribute('data-position')).toBe(String(count))
  expect(await cells()).toBeLessThan(900)
  for (let step = 0; step < 30; step += 1) await page.keyboard.press('ArrowLeft')
  await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('data-position'))).toBe(String(count - 30))
  await photograph(page, 'compare-long')
})

test('a token chosen in the table is brought into sight in the strips', async () => {
  await page.getByTestId('chart-table').click()
  const rows = page.getByTestId('position-table').locator('[data-position]')
  expect(await rows.count()).toBeLessThan(100)
  await page
    .getByTestId('position-table')
    .getByRole('button', { name: /position/ })
    .click()
  await page
    .getByTestId('position-table')
    .locator('..')
    .evaluate(scroller => scroller.scrollTo(0, 24 * 2000))
  // Sorted either way, the middle of the table holds the middle of the prompt.
  const middle = async () => Number(await rows.nth(15).getAttribute('data-position'))
  await expect.poll(async () => Math.abs((await middle()) - 2000)).toBeLessThan(400)
  const chosen = await middle()
  await page.getByTestId('position-table').locator(`[data-position="${chosen}"] td`).first().click()
  await expect.poll(() => page.getByTestId('strip-clean').locator(`[data-position="${chosen}"]`).count()).toBe(1)
  await page.getByTestId('chart-table').click()
})

test('the features of every token are ranked, and their strip is drawn in part', async () => {
  await page.getByTestId('nav-features').click()
  await page.getByTestId('ranking').locator('[data-feature]').first().waitFor()
  expect(await page.getByTestId('ranking-count').textContent()).toContain(`${(count - 1).toLocaleString('en-US')} chosen tokens`)
  expect(await page.getByTestId('feature-strip').locator('[data-position]').count()).toBeLessThan(900)
  await page.getByTestId('ranking').locator('[data-feature]').first().click()
  await photograph(page, 'features-long')
})

test('scrolling leaves no gap', async () => {
  await page.getByTestId('nav-compare').click()
  await page.getByTestId('strip-clean').first().waitFor()
  const drawn = await page.getByRole('grid', { name: 'Tokens by variant' }).evaluate(async grid => {
    let blank = 0
    for (let step = 1; step <= 60; step += 1) {
      grid.scrollTop = step * 240
      await new Promise(requestAnimationFrame)
      await new Promise(requestAnimationFrame)
      if (grid.querySelectorAll('.line').length === 0) blank += 1
    }
    return { blank, scrolled: grid.scrollTop }
  })
  expect(drawn.scrolled).toBe(60 * 240)
  expect(drawn.blank).toBe(0)
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
