/** Features as levers: ablated, multiplied, set and steered beside the feature, as columns; the numbers are the command line's. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type RunResult, runResult } from '../../src/contract/run.ts'
import { photograph } from '../chromium.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { afterRun, keepPictureOfFailures, openWorkbench, stripValues, type Workbench } from '../workbench.ts'

const wormhole = 'Would you be able to travel through time using a wormhole?'
const home = temporaryFolder()
const otherHome = temporaryFolder()
const saes = ['--sae', `l0_15=${demo.sae}`, '--sae', `l0_3=${demo.roughSae}`]
const at = 6
let workbench: Workbench
let page: Page
/** The strongest feature of l0_15 at a token, and its known maximum. */
let feature: number
let maximum: number

/** A variant with edits, on the command line. */
async function engine(...more: string[]): Promise<RunResult> {
  const args = ['run', '--model', demo.model, ...saes, '--splice-positions', 'no-special', '--prompt', wormhole, ...more]
  const { stdout, stderr } = await splice([...args, '--no-history', '--json'], { home: otherHome })
  expect(stderr).toBe('')
  return runResult.parse(JSON.parse(stdout))
}

/** The strip of a variant has the log-probs of a variant of the engine's. */
async function expectStrip(shown: string, result: RunResult, variant: string): Promise<void> {
  const expected = (result.variants.find(({ name }) => name === variant)?.logProbs ?? []).map(value =>
    value === null ? null : Number(value)
  )
  const values = await stripValues(page, `strip-${shown}`, 'data-logprob')
  expect(expected.length).toBe(14)
  for (const [position, value] of expected.entries()) {
    if (value !== null) expect(Math.abs((values[position] ?? Number.NaN) - value), `${shown}, token ${position}`).toBeLessThan(1e-4)
  }
}

const order = () =>
  page
    .getByTestId('variant-order')
    .locator('button.chip')
    .evaluateAll(chips => chips.map(chip => chip.getAttribute('data-testid')?.replace(/^order-/, '')))
const kept = async () => z.object({ total: z.int() }).parse(JSON.parse((await splice(['runs', '--json'], { home })).stdout)).total
const inOwn = (testid: string) => page.getByTestId('features-own').getByTestId(testid)

beforeAll(async () => {
  workbench = await openWorkbench(home)
  page = workbench.page
  await page.waitForFunction(() =>
    /4,138 explanations, 4\s+sources$/.test(document.querySelector('[data-testid="status-mirror"]')?.textContent?.trim() ?? '')
  )
  await page.getByTestId('strip-clean').locator(`[data-position="${at}"]`).click()
  const row = page.getByTestId('features-own').locator('[data-testid^="feature-l0_15-"]').first()
  feature = Number((await row.getAttribute('data-testid'))?.split('-').at(-1))
  const known = await splice(['feature', `demo-gemma2-tiny/2-demo-res-1k/${feature}`, '--json'], { home })
  maximum = Number(/"maxActivation":\s*([\d.]+)/.exec(known.stdout)?.[1])
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

describe('beside a feature', () => {
  test('Ablate adds a column at once, with the numbers of --edit', async () => {
    await afterRun(page, () => inOwn(`ablate-l0_15-${feature}`).click())
    const name = `l0_15 #${feature} off`
    expect(await order()).toEqual(['clean', 'spliced: l0_15', 'spliced: l0_3', name])
    await expectStrip(name, await engine('--variant', 'off=l0_15', '--edit', `off:l0_15:${feature}=0`), 'off')
    expect(await inOwn(`ablate-l0_15-${feature}`).getAttribute('aria-pressed')).toBe('true')
    await photograph(page, 'edits-ablated')
  })

  test('the slider changes its own column, and the run with it', async () => {
    const before = await kept()
    await inOwn(`lever-l0_15-${feature}`).click()
    expect(await page.getByTestId('lever-set').isChecked()).toBe(true)
    await page.getByTestId('lever-another').click()
    await page.getByTestId('lever-scale').check({ force: true })
    const slider = page.getByTestId('lever-slider')
    await afterRun(page, () => slider.fill('2.5'))
    const first = `l0_15 #${feature} x2.5`
    expect((await order()).at(-1)).toBe(first)
    await expectStrip(first, await engine('--variant', 'more=l0_15', '--edit', `more:l0_15:${feature}x2.5`), 'more')
    await photograph(page, 'edits-lever')
    await afterRun(page, () => slider.fill('4'))
    await afterRun(page, () => slider.press('ArrowLeft'))
    const last = `l0_15 #${feature} x3.95`
    expect(await order()).toEqual(['clean', 'spliced: l0_15', 'spliced: l0_3', `l0_15 #${feature} off`, last])
    await expectStrip(last, await engine('--variant', 'more=l0_15', '--edit', `more:l0_15:${feature}x3.95`), 'more')
    // A slider leaves one run behind, however far it went.
    expect(await kept()).toBe(before + 1)
  })

  test('a number, a position and the error term are taken as they are chosen', async () => {
    await afterRun(page, () => page.getByTestId('lever-value').fill('3'))
    await afterRun(page, () =>
      page
        .getByTestId('lever-where')
        .selectOption(`from token ${at} on`)
        .then(() => undefined)
    )
    await afterRun(page, () =>
      page
        .getByTestId('lever-setting')
        .selectOption('with-error')
        .then(() => undefined)
    )
    const name = `l0_15 #${feature} x3 @${at}: +error`
    expect((await order()).at(-1)).toBe(name)
    await expectStrip(name, await engine('--variant', 'more=l0_15+error', '--edit', `more:l0_15:${feature}x3@${at}:`), 'more')
    await page.getByTestId('lever-value').fill('3x')
    expect(await page.getByTestId('lever').getByRole('alert').textContent()).toBe('“3x” is no number.')
    await page.keyboard.press('Escape')
    await page.getByTestId('lever').waitFor({ state: 'detached' })
    expect(await page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe(`lever-l0_15-${feature}`)
  })
})

describe('steering', () => {
  test('several strengths come as a column each, along the row of W_dec in the model as it is', async () => {
    await inOwn(`lever-l0_15-${feature}`).click()
    await page.getByTestId('lever-another').click()
    await page.getByTestId('lever-steer').check({ force: true })
    expect(await page.getByTestId('lever-setting').inputValue()).toBe('as-is')
    await page.getByTestId('lever-strengths').fill('-1x, +2')
    await photograph(page, 'edits-steer')
    await afterRun(page, () => page.getByTestId('lever-add-strengths').click())
    const strengths = [-1, 2].map(factor => Number((factor * maximum).toPrecision(3)))
    const [less = 0, more = 0] = strengths
    const options = strengths.flatMap((value, i) => ['--edit', `s${i}:l0_15:${feature}+${value}`])
    const steered = await engine('--variants', 'clean', ...options)
    const name = (value: number) => `l0_15 #${feature} ${value < 0 ? '' : '+'}${Number(value.toPrecision(4))}`
    expect((await order()).slice(-2)).toEqual([name(less), name(more)])
    await expectStrip(name(less), steered, 's0')
    await expectStrip(name(more), steered, 's1')
    expect(await page.getByTestId('lever').count()).toBe(0)
  })
})
