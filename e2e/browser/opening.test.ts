/** Opening what is on disk: folders, SAEs beside the open ones, what was open before. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { photograph } from '../chromium.ts'
import { demo, temporaryFolder } from '../command-line.ts'
import { largestDifference } from '../golden.ts'
import { afterRun, keepPictureOfFailures, openWorkbench, stripValues, type Workbench } from '../workbench.ts'

const folder = temporaryFolder()
let workbench: Workbench
let page: Page
let first: (number | null)[]

beforeAll(async () => {
  cpSync(demo.model, join(folder, 'another-model'), { recursive: true })
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  first = await stripValues(page, 'strip-clean', 'data-logprob')
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

describe('an SAE', () => {
  test('found beside the open ones becomes one more variant', async () => {
    await page.getByTestId('add-sae').click()
    const choice = page.getByTestId('choice').filter({ hasText: 'layer_1/width_1k/average_l0_15' })
    await choice.waitFor()
    await photograph(page, 'add-sae')
    await afterRun(page, () => choice.click())
    expect(await page.locator('[data-testid^="strip-spliced"]').count()).toBeGreaterThanOrEqual(3)
    await photograph(page, 'compare-three-saes')
  })

  test('also runs with the error term, which undoes its splice', async () => {
    await afterRun(page, () => page.getByTestId('sae-error-l0_15').first().click())
    const spliced = await stripValues(page, 'strip-spliced: l0_15', 'data-logprob')
    const withError = await stripValues(page, 'strip-spliced: l0_15+error', 'data-logprob')
    expect(largestDifference(withError, first)).toBeLessThan(5e-4)
    expect(largestDifference(spliced, first)).toBeGreaterThan(0.01)
  })
})

describe('a model', () => {
  test('opens through the folder dialog, and gives its numbers', async () => {
    await page.getByTestId('model-picker').click()
    await page.getByTestId('open-folder').click()
    await page.getByTestId('folder-path').fill(folder)
    await page.getByTestId('folder-path').press('Enter')
    const entry = page.getByTestId('folder-entries').getByText('another-model')
    await entry.click()
    await photograph(page, 'folder-dialog')
    await afterRun(page, () => page.getByTestId('folder-open').click())
    expect(await page.getByTestId('model-name').textContent()).toBe('another-model')
    // Beside fewer variants, sums of float32 are taken in another order.
    expect(largestDifference(await stripValues(page, 'strip-clean', 'data-logprob'), first)).toBeLessThan(2e-5)
  })

  test('is what opens next time, and the one before is kept among the recent ones', async () => {
    await page.reload()
    await page.getByTestId('summary').waitFor()
    expect(await page.getByTestId('model-name').textContent()).toBe('another-model')
    await page.getByTestId('model-picker').click()
    await page.getByTestId('choice').filter({ hasText: 'model' }).first().waitFor()
    await photograph(page, 'model-picker')
    await page.keyboard.press('Escape')
  })
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
