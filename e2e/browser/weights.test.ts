/** What the weights say of a feature, on its page: logits, lengths, nearest directions, past runs; also of an SAE without explanations. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunResult, runResult } from '../../src/contract/run.ts'
import { photograph } from '../chromium.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, runPrompt, type Workbench } from '../workbench.ts'

const prompt = 'Would you be able to travel through time using a wormhole?'
const source = 'demo-gemma2-tiny/2-demo-res-1k'
const home = temporaryFolder()
let workbench: Workbench
let page: Page
let engine: RunResult

beforeAll(async () => {
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  await page.waitForFunction(() => /4,138 explanations/.test(document.querySelector('[data-testid="status-mirror"]')?.textContent ?? ''))
  await runPrompt(page, prompt)
  const args = ['--sae', `l0_3=${demo.roughSae}`, '--variants', 'clean', '--prompt', prompt, '--json']
  engine = runResult.parse(JSON.parse((await splice(['run', '--model', demo.model, ...args], { home })).stdout))
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

const weightsOf = (index: number) => page.locator(`[data-testid="weights"][data-of="${index}"]`)

describe('an explained feature', () => {
  test('has its logits from the weights, as the mirror has them', async () => {
    await page.evaluate(hash => (location.hash = hash), `#/feature/${source}/656`)
    await weightsOf(656).waitFor()
    const tokens = (testid: string) => page.getByTestId(testid).locator('tbody td.token').allTextContents()
    const mirrored = await tokens('top-logits')
    const own = await tokens('weights-top')
    expect(own.length).toBe(10)
    expect(own.filter(token => mirrored.includes(token)).length).toBeGreaterThanOrEqual(Math.ceil(mirrored.length / 2))
    expect(Number(await page.getByTestId('decoder-norm').textContent())).toBeGreaterThan(0)
    expect(Math.abs(Number(await page.getByTestId('encoder-decoder').textContent()))).toBeLessThanOrEqual(1)
  })

  test('has its nearest directions, with explanations where there are any, and a way to them', async () => {
    for (const name of ['l0_15', 'l0_3']) {
      const cosines = await page
        .getByTestId(`nearest-${name}`)
        .locator('[data-value]')
        .evaluateAll(cells => cells.map(cell => Number(cell.getAttribute('data-value'))))
      expect(cosines.length).toBe(10)
      expect(cosines).toEqual([...cosines].sort((a, b) => b - a))
      expect(Math.max(...cosines.map(Math.abs))).toBeLessThanOrEqual(1.0001)
    }
    await page.getByTestId('weights').scrollIntoViewIfNeeded()
    await photograph(page, 'feature-weights')
    const link = page.getByTestId('nearest-l0_15').locator('a').first()
    const nearest = Number(await link.textContent())
    await link.click()
    await page.locator(`[data-testid="feature-page"][data-index="${nearest}"]`).waitFor()
    await weightsOf(nearest).waitFor()
    expect(await page.getByTestId('nearest-l0_15').locator('a').allTextContents()).toContain('656')
  })
})

describe('a feature of an SAE of which nothing is explained', () => {
  test('has a page that its weights and runs fill, opened from where it fired', async () => {
    const features = engine.saes[0]?.byVariant.clean?.features ?? []
    const fired = features[5]?.[0]
    const index = fired?.index ?? -1
    await page.getByTestId('nav-features').click()
    await page.getByTestId('features-sae').selectOption('l0_3')
    await page.getByTestId(`ranked-${index}`).click()
    await page.getByTestId('feature-page-link').click()
    await weightsOf(index).waitFor()
    expect(await page.evaluate(() => location.hash)).toBe(`#/feature/sae/l0_3/${index}`)
    expect(await page.getByTestId('weights-top').locator('tbody tr').count()).toBe(10)
    await page.getByTestId('fired').waitFor()
    const most = Math.max(
      ...features.map((list, at) => (engine.tokens[at]?.special ? 0 : Number(list.find(each => each.index === index)?.activation ?? 0)))
    )
    expect((await page.getByTestId('fired').locator('li .number').allTextContents()).map(Number)).toContain(Number(most.toFixed(2)))
    await photograph(page, 'feature-weights-alone')
  })

  test('is stepped through by keys', async () => {
    await page.evaluate(() => (location.hash = '#/feature/sae/l0_3/7'))
    await weightsOf(7).waitFor()
    await page.keyboard.press(']')
    await weightsOf(8).waitFor()
    await page.getByTestId('previous-feature').click()
    await weightsOf(7).waitFor()
  })
})

test('an SAE that is not open is asked for', async () => {
  await page.evaluate(() => (location.hash = '#/feature/sae/nowhere/7'))
  await expect.poll(() => page.getByTestId('weights').textContent()).toContain("Open this feature's SAE")
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
