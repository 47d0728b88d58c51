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
    await page.getByTestId('lever-where').selectOption('all tokens')
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

describe('columns', () => {
  const toast = () => page.getByTestId('toast-action')

  test('are removed from their chip, and brought back', async () => {
    const before = await order()
    const last = before.at(-1) ?? ''
    await page.getByTestId(`order-${last}`).focus()
    await afterRun(page, () => page.keyboard.press('Delete'))
    expect(await order()).toEqual(before.slice(0, -1))
    expect(await page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe(`order-${before.at(-2)}`)
    await afterRun(page, () => page.keyboard.press('Control+z'))
    expect(await order()).toEqual(before)
    await afterRun(page, () => page.getByTestId(`close-${last}`).click())
    await afterRun(page, () => toast().click())
    expect(await order()).toEqual(before)
  })

  test('keep their place in the order when they change', async () => {
    const before = await order()
    const moved = before.at(-1) ?? ''
    await page.getByTestId(`order-${moved}`).focus()
    await page.keyboard.press('Alt+Home')
    await page.getByTestId(`change-${moved}`).click()
    await afterRun(page, () => page.getByTestId('lever-value').fill('5'))
    expect(await order()).toEqual([`l0_15 #${feature} +5`, ...before.slice(0, -1)])
    await page.keyboard.press('Escape')
    await page.getByTestId(`order-l0_15 #${feature} +5`).focus()
    await page.keyboard.press('Alt+End')
  })

  test('stand in the menu of variants, where each edit is changed', async () => {
    await page.getByTestId('variants').click()
    const column = page.getByTestId(`column-l0_15 #${feature} off`)
    await photograph(page, 'edits-variants')
    await afterRun(page, () => column.getByLabel(`By how much feature ${feature}`).fill('1.5'))
    await page.keyboard.press('Escape')
    const name = `l0_15 #${feature} =1.5`
    expect(await order()).toContain(name)
    await expectStrip(name, await engine('--variant', 'set=l0_15', '--edit', `set:l0_15:${feature}=1.5`), 'set')
  })

  test('hold several edits', async () => {
    const second = page.getByTestId('features-own').locator('[data-testid^="lever-l0_15-"]').nth(1)
    const other = (await second.getAttribute('data-testid'))?.split('-').at(-1)
    await second.click()
    const name = `l0_15 #${feature} =1.5`
    await page.getByTestId('lever-column').selectOption({ label: name })
    await page.getByTestId('lever-set').check({ force: true })
    await afterRun(page, () => page.getByTestId('lever-value').fill('0'))
    await page.keyboard.press('Escape')
    const both = `l0_15 #${feature} =1.5, #${other} off`
    expect(await order()).toContain(both)
    const options = ['--edit', `two:l0_15:${feature}=1.5`, '--edit', `two:l0_15:${other}=0`]
    await expectStrip(both, await engine('--variant', 'two=l0_15', ...options), 'two')
  })

  test('are there again after a start, and when their run is opened', async () => {
    const before = await order()
    const values = await stripValues(page, `strip-${before.at(-1)}`, 'data-logprob')
    await page.reload()
    await page.getByTestId('summary').waitFor()
    expect(await order()).toEqual(before)
    await page.getByTestId('variants').click()
    await page.getByTestId('edits-clear').waitFor()
    await afterRun(page, () => page.getByTestId('edits-clear').click())
    await page.keyboard.press('Escape')
    expect(await order()).toEqual(['clean', 'spliced: l0_15', 'spliced: l0_3'])
    await page.getByTestId('nav-runs').click()
    await page.locator('[data-testid^="run-"]', { hasText: wormhole }).nth(1).click()
    await page.getByTestId('run-open').click()
    await page.getByTestId('reopened').waitFor()
    expect(await order()).toEqual(before)
    expect(await stripValues(page, `strip-${before.at(-1)}`, 'data-logprob')).toEqual(values)
    await page.getByTestId(`close-${before.at(-1)}`).waitFor()
    await afterRun(page, () => page.getByTestId('prompt').press('Enter'))
    expect(await order()).toEqual(before)
    expect(await stripValues(page, `strip-${before.at(-1)}`, 'data-logprob')).toEqual(values)
  })

  test('are told in words where runs are compared, and in the scripts', async () => {
    await page.getByTestId('nav-runs').click()
    const listed = await splice(['runs', '--json'], { home })
    const { runs } = z.object({ runs: z.array(z.object({ id: z.string() })) }).parse(JSON.parse(listed.stdout))
    for (const { id } of runs.slice(0, 2)) {
      await page.getByTestId(`pick-${id}`).waitFor()
      await page.getByTestId(`pick-${id}`).setChecked(true, { force: true })
      await expect.poll(() => page.getByTestId(`pick-${id}`).isChecked()).toBe(true)
    }
    await page.getByTestId('compare-picked').click()
    await page.getByTestId('settings-difference').waitFor()
    const variants = page.locator('select', { has: page.locator('option', { hasText: '=1.5' }) }).first()
    await variants.selectOption({ label: await variants.locator('option', { hasText: '=1.5' }).first().innerText() })
    await expect.poll(() => page.getByTestId('settings-difference').textContent()).toContain(`l0_15 feature ${feature} set to 1.5 at all`)
    const { stdout } = await splice(['runs', 'export', runs[0]?.id ?? '', '--as', 'python'], { home })
    expect(stdout).toContain(`("l0_15", ${feature}, "set", 1.5, mask_of((0, 14)))`)
    await page.getByTestId('nav-compare').click()
    await page.getByTestId('summary').waitFor()
  })
})

describe('elsewhere', () => {
  test('x ablates the strongest feature of the token, s opens its lever', async () => {
    await page.getByTestId('nav-compare').click()
    await page.getByTestId('variants').click()
    await afterRun(page, () => page.getByTestId('edits-clear').click())
    await page.keyboard.press('Escape')
    await page.getByTestId('strip-clean').locator(`[data-position="${at}"]`).click()
    await afterRun(page, () => page.keyboard.press('x'))
    expect((await order()).at(-1)).toBe(`l0_15 #${feature} off`)
    await page.getByTestId('strip-clean').locator(`[data-position="${at}"]`).focus()
    await page.keyboard.press('s')
    expect(await page.getByTestId('lever').getByRole('heading').textContent()).toContain(String(feature))
    await page.keyboard.press('Escape')
  })

  test('in the ranking of all features', async () => {
    await page.getByTestId('nav-features').click()
    const row = page.getByTestId('ranking').locator('[data-feature]').first()
    const index = await row.getAttribute('data-feature')
    await row.click()
    await afterRun(page, () => row.getByRole('button', { name: /^Ablate/ }).click())
    await page.getByTestId(`followed-l0_15 #${index} off`).waitFor()
    await photograph(page, 'edits-features')
    expect(await page.getByTestId('feature-panel').getByTestId(`ablate-l0_15-${index}`).getAttribute('aria-pressed')).toBe('true')
  })

  test('on a feature’s page and in the hits, and Compare shows it', async () => {
    await page.goto(`${workbench.url.split('#')[0]}#/feature/demo-gemma2-tiny/2-demo-res-1k/${feature}`)
    // The page loads anew: columns are there again with the run that is shown.
    await page.getByTestId('feature-page').getByText(`#${feature} off`).first().waitFor()
    await page.getByTestId('feature-page').getByTestId(`lever-l0_15-${feature}`).click()
    await page.getByTestId('lever-another').click()
    await page.getByTestId('lever-scale').check({ force: true })
    await afterRun(page, () => page.getByTestId('lever-value').fill('2'))
    await page.keyboard.press('Escape')
    await photograph(page, 'edits-page')
    await page.getByTestId('toast-action').last().click()
    await page.getByTestId('summary').waitFor()
    expect((await order()).at(-1)).toBe(`l0_15 #${feature} x2`)
    await page.getByTestId('nav-explanations').click()
    await page.getByTestId('explanations-search').fill('the first half of "wormhole"')
    const hit = page
      .getByTestId('hits')
      .getByRole('button', { name: /^Ablate feature \d+ of l0_15/ })
      .first()
    const index = (await hit.getAttribute('data-testid'))?.split('-').at(-1)
    await photograph(page, 'edits-hits')
    await afterRun(page, () => hit.click())
    await page.getByTestId('nav-compare').click()
    await page.getByTestId('summary').waitFor()
    expect((await order()).at(-1)).toBe(`l0_15 #${index} off`)
  })

  test('a closed SAE takes its columns along', async () => {
    await page
      .getByRole('button', { name: /average_l0_15/ })
      .first()
      .click()
    await afterRun(page, () => page.getByTestId('sae-remove').click())
    expect(await order()).toEqual(['clean', 'spliced: l0_3'])
  })
})

describe('in Generate', () => {
  const tokensOf = (variant: string) =>
    page
      .getByTestId(`continuation-${variant}-0`)
      .locator('[data-step]')
      .evaluateAll(all => all.map(token => Number(token.getAttribute('data-id'))))
  const ended = () =>
    expect
      .poll(async () => {
        const facts = await page.getByTestId('facts').allTextContents()
        return facts.length > 0 && facts.every(text => /ended its text|full length|context is full/.test(text))
      })
      .toBe(true)

  test('several strengths stream side by side, as the command line has them', async () => {
    await page.getByTestId('nav-generate').click()
    await page.getByTestId('prompt').fill('Once upon a time')
    await page.getByTestId('setting-temperature').fill('0')
    await page.getByTestId('setting-maxNewTokens').fill('20')
    await page.getByTestId('run').click()
    await ended()
    await page.getByTestId('continuation-clean-0').locator('[data-step="2"]').click()
    const features = page.getByTestId('generated-features')
    const button = features.locator('[data-testid^="lever-l0_3-"]').first()
    const index = (await button.getAttribute('data-testid'))?.split('-').at(-1)
    await button.click()
    await page.getByTestId('lever-steer').check({ force: true })
    await page.getByTestId('lever-strengths').fill('-1, 0, +1, +2')
    await page.getByTestId('lever-add-strengths').click()
    await page.waitForFunction(() => document.querySelectorAll('[data-testid^="continuation-#"]').length === 4)
    await ended()
    const names = await page
      .locator('[data-testid^="continuation-#"]')
      .evaluateAll(all => all.map(one => one.getAttribute('data-testid') ?? ''))
    const values = names.map(name => Number(/ ([+-][\d.]+)-0$/.exec(name)?.[1]))
    expect(values[0]).toBeLessThan(0)
    expect(values[1]).toBe(0)
    const edits = values.flatMap((value, at) => ['--edit', `s${at}:l0_3:${index}+${value}`])
    const args = ['generate', '--model', demo.model, '--sae', `l0_3=${demo.roughSae}`, '--prompt', 'Once upon a time', '--temperature', '0']
    const { stdout } = await splice([...args, '--variants', 'clean', '--max-new-tokens', '20', ...edits, '--json'], { home: otherHome })
    const schema = z.object({ variants: z.array(z.object({ name: z.string(), tokens: z.array(z.object({ id: z.int() })) })) })
    const { variants } = schema.parse(JSON.parse(stdout))
    for (const at of values.keys()) {
      const expected = variants.find(({ name }) => name === `s${at}`)?.tokens.map(({ id }) => id)
      expect(await tokensOf(names[at]?.slice('continuation-'.length, -2) ?? '')).toEqual(expected)
    }
    expect(await tokensOf('clean')).toEqual(await tokensOf(names[1]?.slice('continuation-'.length, -2) ?? ''))
    expect(await tokensOf('clean')).not.toEqual(await tokensOf(names[3]?.slice('continuation-'.length, -2) ?? ''))
    await photograph(page, 'edits-generate')
  })

  test('columns that no run has seen are there after a start, too', async () => {
    await page.reload()
    await page.getByTestId('setting-temperature').waitFor()
    await page.getByTestId('variants').click()
    await expect.poll(() => page.locator('[data-testid^="column-#"]').count()).toBe(4)
    expect(workbench.problems).toEqual([])
  })
})
