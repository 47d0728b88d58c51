/** Attribution as a person does it: a quantity from the selected token, the ranking, groups and pairs, cancel, and what is kept. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { photograph } from '../chromium.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, runPrompt, type Workbench } from '../workbench.ts'

const wormhole = 'Would you be able to travel through time using a wormhole?'
const attribution = z.object({
  base: z.number(),
  effects: z.array(z.object({ index: z.int(), position: z.int().nullable(), activation: z.number(), effect: z.number() })),
  pairs: z.array(z.object({ effect: z.number() })),
  groups: z.array(z.object({ effect: z.number() }))
})
let workbench: Workbench
let page: Page
/** The same from the command line, with an engine and a home of its own. */
let engine: z.infer<typeof attribution>

/** What the workbench's own reading of the demo is, as an attribution on the command line. */
async function byCommand(...args: string[]): Promise<z.infer<typeof attribution>> {
  const asked = ['attribute', '--model', demo.model, '--sae', `l0_15=${demo.sae}`, '--prompt', wormhole, ...args, '--no-history', '--json']
  return attribution.parse(JSON.parse((await splice(asked, { home: temporaryFolder() })).stdout))
}

beforeAll(async () => {
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  engine = await byCommand('--target', ' time@7', '--pairs', '3')
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

/** The ranking on screen. */
function effects() {
  return page
    .getByTestId('effects')
    .locator('[data-feature]')
    .evaluateAll(rows =>
      rows.map(row => ({
        index: Number(row.getAttribute('data-feature')),
        effect: Number(row.getAttribute('data-effect')),
        activation: Number(row.getAttribute('data-activation'))
      }))
    )
}
const close = (expected: z.infer<typeof attribution>['effects']) =>
  expected.map(({ index, effect, activation }) => ({ index, effect: expect.closeTo(effect, 4), activation: expect.closeTo(activation, 3) }))

async function attribute(): Promise<void> {
  await page.getByTestId('attribution-start').click()
  await page.getByTestId('attribution-start').waitFor()
}

describe('an attribution', () => {
  test('begins with the selected token, and ranks as the command line does', async () => {
    await page.getByTestId('strip-clean').locator('[data-position="8"]').click()
    await page.getByTestId('nav-attribution').click()
    expect(await page.getByTestId('attribution-position').inputValue()).toBe('7')
    expect(await page.getByTestId('attribution-token').inputValue()).toBe(' time')
    const saes = page.getByTestId('attribution-sae')
    if ((await saes.count()) > 0) await saes.selectOption('l0_15')
    await page.getByTestId('attribution-pairs').fill('3')
    await photograph(page, 'attribution-empty')
    await attribute()
    await page.getByTestId('effects').waitFor()
    expect((await effects()).slice(0, 8)).toEqual(close(engine.effects.slice(0, 8)))
    expect(await page.getByTestId('attribution-quantity').textContent()).toMatch(/^log-prob of " time" \(\d+\) after " through" at 7$/)
    expect(await page.getByTestId('attribution-base').textContent()).toContain(`base ${engine.base.toFixed(3)}, with the error term`)
    expect(await page.getByTestId('pairs').locator('tbody tr').count()).toBe(3)
    expect(await page.getByTestId('effect-chart').getAttribute('data-bars')).toBe(String(engine.effects.length))
  })

  test('is followed by keyboard and sorted by activation', async () => {
    const [first, second] = engine.effects
    await page.getByTestId(`effect-${first?.index}`).click()
    await page.getByTestId(`effect-${first?.index}`).press('ArrowDown')
    expect(await page.getByTestId('followed-effect').textContent()).toContain(`Feature ${second?.index}`)
    await photograph(page, 'attribution')
    await page.setViewportSize({ width: 1024, height: 640 })
    await page.screenshot({ path: 'test-results/screenshots/attribution-light-1024x640.png' })
    await page.setViewportSize({ width: 1280, height: 800 })
    await page.getByTestId('effects-by-activation').click()
    const byActivation = [...engine.effects].sort((a, b) => b.activation - a.activation)
    expect((await effects()).slice(0, 6).map(({ index }) => index)).toEqual(byActivation.slice(0, 6).map(({ index }) => index))
    await page.getByTestId('effects-by-size').click()
  })

  test('ablates marked features together', async () => {
    const [first, , third] = engine.effects
    await page.getByTestId(`mark-${first?.index}`).check()
    await page.getByTestId(`mark-${third?.index}`).check()
    await page.getByTestId('ablate-together').click()
    await page.getByTestId('groups').waitFor()
    const alone = await byCommand('--target', ' time@7', '--top', '0', '--group', `${first?.index},${third?.index}`)
    const shown = Number(await page.getByTestId('groups').locator('tbody tr').first().getAttribute('data-effect'))
    expect(shown).toBeCloseTo(alone.groups[0]?.effect ?? Number.NaN, 4)
  })

  test('copies as TSV with full numbers', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByTestId('effects-copy').click()
    const rows = (await page.evaluate(() => navigator.clipboard.readText())).split('\n').map(line => line.split('\t'))
    expect(rows[0]?.slice(2, 7)).toEqual(['feature', 'position', 'token', 'activation', 'effect'])
    expect(rows.slice(1).map(row => Number(row[2]))).toEqual(
      (await effects()).length > 0 ? expect.arrayContaining([engine.effects[0]?.index]) : []
    )
    expect(rows).toHaveLength(engine.effects.length + 1)
  })

  test('gives its picture', async () => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('effects-svg').click()])
    expect(download.suggestedFilename()).toBe('splice-attribution.svg')
  })

  test('of another quantity without the error term, at each position apart', async () => {
    await page.getByTestId('attribution-kind').selectOption('logit-difference')
    await page.getByTestId('attribution-other').fill(' space')
    await page.getByTestId('attribution-scope').selectOption('each')
    await page.getByTestId('attribution-error-term').uncheck()
    await page.getByTestId('attribution-top').fill('20')
    await page.getByTestId('attribution-pairs').fill('0')
    await attribute()
    await expect.poll(() => page.getByTestId('attribution-quantity').textContent()).toMatch(/^logit of " time" \(\d+\) minus " space"/)
    const same = await byCommand('--target', ' time- space@7', '--each-position', '--no-error-term', '--top', '20')
    expect((await effects()).slice(0, 8)).toEqual(close(same.effects.slice(0, 8)))
    await photograph(page, 'attribution-each')
  })

  test('says what is no single token', async () => {
    await page.getByTestId('attribution-other').fill('travel through')
    await page.getByTestId('attribution-start').click()
    await page.getByText('is not one token of').waitFor()
    await page.getByTestId('attribution-other').fill(' space')
  })
})

describe('what is kept', () => {
  test('is shown again with its run after a reload, and comes back when it was removed', async () => {
    const before = await page.locator('[data-testid^="kept-"]').count()
    expect(before).toBe(3)
    await page.reload()
    await page.getByTestId('effects').waitFor()
    expect(await page.locator('[data-testid^="kept-"]').count()).toBe(before)
    await page.locator('[data-testid^="kept-"]').last().locator('button').first().click()
    await expect.poll(async () => (await effects()).slice(0, 8)).toEqual(close(engine.effects.slice(0, 8)))
    expect(await page.getByTestId('groups').locator('tbody tr').count()).toBe(1)
    await page.locator('[data-testid^="remove-"]').last().click()
    await expect.poll(() => page.locator('[data-testid^="kept-"]').count()).toBe(before - 1)
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect.poll(() => page.locator('[data-testid^="kept-"]').count()).toBe(before)
  })

  test('belongs to its run: another run has none', async () => {
    await runPrompt(page, 'The spaceship flew through the wormhole.')
    await expect.poll(() => page.locator('[data-testid^="kept-"]').count()).toBe(0)
    await page.getByTestId('empty-note').waitFor()
  })
})

test('is cancelled, and says so', async () => {
  await runPrompt(page, 'The spaceship flew through the wormhole. '.repeat(12))
  await page.getByTestId('attribution-kind').selectOption('loss')
  await page.getByTestId('attribution-top').fill('10000')
  await page.getByTestId('attribution-scope').selectOption('each')
  await page.getByTestId('attribution-start').click()
  await page.getByTestId('attribution-cancel').click()
  await page.getByTestId('attribution-cancelled').waitFor()
  expect(await page.getByTestId('effects').count()).toBe(0)
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
