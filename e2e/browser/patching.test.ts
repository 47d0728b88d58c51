/** Patching as a person does it: a source beside the prompt, grids, a cell tried, tokens dragged, tables and pictures, what is kept, cancel. */
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PatchingResult, type PatchResult, patchingResult, patchResult } from '../../src/contract/patching.ts'
import { photograph } from '../chromium.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, runPrompt, type Workbench } from '../workbench.ts'

const ball = (name: string) => `${name} threw the ball to Jack. Jack threw the ball to Will. Will threw the ball back to`
const common = ['patch', '--model', demo.model, '--prompt', ball('Anna'), '--source', ball('Mary'), '--target', ' Mary- Anna', '--json']
const otherHome = temporaryFolder()
let workbench: Workbench
let page: Page
/** The same from the command line, with an engine and a home of its own. */
let engine: PatchingResult

async function byCommand(...args: string[]): Promise<unknown> {
  return JSON.parse((await splice([...common, ...args, '--no-history'], { home: otherHome })).stdout)
}
const cellByCommand = async (...args: string[]): Promise<PatchResult> => patchResult.parse(await byCommand(...args))

beforeAll(async () => {
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  const sites = ['resid_pre', 'attn_out', 'mlp_out', 'z'].flatMap(site => ['--site', site])
  engine = patchingResult.parse(await byCommand(...sites))
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

const grid = (name: string) => page.getByTestId(`grid-${name}`)
const effectShown = async () => Number(await page.getByTestId('cell-effect').getAttribute('data-effect'))

/** Clicks a cell of a heat map. */
async function clickCell(name: string, layer: number, column: number, columns: number): Promise<void> {
  const map = grid(name).getByTestId('heatmap')
  const [x = 0, y = 0, width = 0, height = 0] = ((await map.getAttribute('data-plot')) ?? '').split(' ').map(Number)
  await map.click({ position: { x: x + ((column + 0.5) / columns) * width, y: y + ((layer + 0.5) / engine.layers) * height } })
}

async function patch(): Promise<void> {
  await page.getByTestId('patch-start').click()
  await page.getByTestId('patch-start').waitFor()
}

/** Ids and log-probs that the pane lists of a run. */
async function guesses(of: string): Promise<[number, number][]> {
  const cells = await page
    .locator(`[data-testid^="top-${of}-"]`)
    .evaluateAll(found => found.map(cell => [cell.getAttribute('data-id'), cell.getAttribute('data-logprob')]))
  return cells.map(([id, logProb]) => [Number(id), Number(logProb)])
}
const listed = (tokens: PatchResult['predictions']['base']) => tokens.map(({ id, logProb }) => [id, expect.closeTo(Number(logProb), 3)])

describe('two prompts', () => {
  test('stand above each other with the places where they differ marked, or say that they cannot', async () => {
    await runPrompt(page, ball('Anna'))
    await page.getByTestId('nav-patching').click()
    await page.getByTestId('empty-note').waitFor()
    await photograph(page, 'patching-empty')
    await page.getByTestId('source').fill('Mary threw the ball')
    await expect.poll(() => page.getByTestId('source-count').textContent()).toMatch(/^5 tokens, but the prompt has 21/)
    await page.getByTestId('patch-token').fill(' Mary')
    await page.getByTestId('patch-start').click()
    await page.getByText(/the prompt has 21 tokens and the source 5: from position 1 on the prompt has "Anna"/).waitFor()
    await page.getByTestId('patch-token').fill('')
    await page.getByTestId('source').fill(ball('Mary'))
    await expect.poll(() => page.getByTestId('source-count').getAttribute('data-count')).toBe('21')
    const differing = page.getByTestId('pair-prompt').locator('[data-differs]')
    expect(await differing.evaluateAll(cells => cells.map(cell => cell.getAttribute('data-position')))).toEqual(['1'])
  })

  test('are patched at every cell; tokens that are not named are the best predictions of both', async () => {
    await page.getByTestId('site-z').check()
    await patch()
    await page.getByTestId('patch-base').waitFor()
    expect(await page.getByTestId('patch-token').inputValue()).toBe(' Mary')
    expect(await page.getByTestId('patch-other').inputValue()).toBe(' Anna')
    expect(await page.getByTestId('patch-base').textContent()).toContain(`base ${Number(engine.base).toFixed(3)}`)
    for (const name of ['resid_pre', 'attn_out', 'mlp_out', 'z']) await grid(name).waitFor()
    expect(await grid('z').getByTestId('heatmap').getAttribute('data-columns')).toBe('0:4')
    const largest = Math.max(...(engine.sites[3]?.normalised?.flat().map(value => Math.abs(Number(value))) ?? []))
    expect(Number(await grid('z').getByTestId('heat-legend').getAttribute('data-bound'))).toBeCloseTo(largest, 3)
    await photograph(page, 'patching')
  })
})

describe('a cell', () => {
  test('opens with what is predicted before and after', async () => {
    await clickCell('resid_pre', 1, 20, 21)
    const expected = await cellByCommand('--site', 'resid_pre', '--cell', '1:20')
    expect(await page.getByTestId('patch-hook').textContent()).toBe('blocks.1.hook_resid_pre')
    await page.getByTestId('patch-predictions').waitFor()
    expect(await effectShown()).toBeCloseTo(Number(expected.effect), 3)
    expect(await guesses('base')).toEqual(listed(expected.predictions.base))
    expect(await guesses('patched')).toEqual(listed(expected.predictions.patched))
    expect(await guesses('source')).toEqual(listed(expected.predictions.source))
    await expect.poll(() => page.evaluate(() => location.hash)).toContain('site=resid_pre&layer=1&token=20')
    await photograph(page, 'patching-cell')
  })

  test('is walked to by keyboard, and tried with Enter', async () => {
    const map = grid('resid_pre').getByTestId('heatmap')
    await map.press('ArrowUp')
    await map.press('ArrowLeft')
    expect(await page.getByTestId('readout-resid_pre').textContent()).toMatch(/^layer 0, 19 /)
    expect(await effectShown()).toBeCloseTo(Number(engine.sites[0]?.effects[0]?.[19]), 3)
    expect(await page.getByTestId('patch-predictions').count()).toBe(0)
    await map.press('Enter')
    await page.getByTestId('patch-predictions').waitFor()
    expect(await page.getByTestId('pair-prompt').locator('.selected').getAttribute('data-position')).toBe('19')
    expect(await page.getByTestId('readout-mlp_out').textContent()).toMatch(/^layer 0, 19 /)
    await page.getByTestId('pair-prompt').locator('[data-position="20"]').click()
    expect(await page.getByTestId('readout-resid_pre').textContent()).toMatch(/^layer 0, 20 /)
  })

  test('of a head leads to every position of it', async () => {
    await clickCell('z', 0, 2, 4)
    expect(await page.getByTestId('patch-hook').textContent()).toBe('blocks.0.attn.hook_z head 2')
    await page.getByTestId('add-head').click()
    await grid('z-head-2').waitFor()
    await page.getByTestId('patch-start').waitFor()
    const whole = patchingResult.parse(await byCommand('--site', 'z:2'))
    await clickCell('z-head-2', 0, 20, 21)
    await expect.poll(effectShown).toBeCloseTo(Number(whole.sites[0]?.effects[0]?.[20]), 3)
    expect(await page.getByTestId('cell-head').inputValue()).toBe('2')
  })

  test('takes a token of the source that is dragged onto one of the prompt, or put there by keyboard', async () => {
    await page.getByTestId('cell-site').selectOption('resid_pre')
    await page.getByTestId('cell-layer').selectOption('0')
    const source = page.getByTestId('pair-source').locator('[data-position="1"]')
    await source.dragTo(page.getByTestId('pair-prompt').locator('[data-position="6"]'))
    const dragged = await cellByCommand('--site', 'resid_pre', '--cell', '0:6', '--from', '1')
    await expect.poll(effectShown).toBeCloseTo(Number(dragged.effect), 3)
    expect(await page.getByTestId('cell-from').inputValue()).toBe('1')
    expect(await page.getByTestId('cell-position').inputValue()).toBe('6')
    await source.click()
    expect(await page.getByTestId('pair-status').textContent()).toContain('is taken')
    await photograph(page, 'patching-taken')
    await source.press('ArrowDown')
    for (const key of ['ArrowRight', 'ArrowRight', 'Enter']) await page.keyboard.press(key)
    const put = await cellByCommand('--site', 'resid_pre', '--cell', '0:3', '--from', '1')
    await expect.poll(effectShown).toBeCloseTo(Number(put.effect), 3)
    expect(await page.getByTestId('pair-status').textContent()).not.toContain('is taken')
  })
})

describe('its numbers', () => {
  test('are raw when that is asked for, on one scale for all', async () => {
    await page.getByTestId('patch-show').selectOption('raw')
    await page.getByTestId('patch-scale').check()
    const largest = Math.max(...engine.sites.flatMap(({ effects }) => effects.flat().map(effect => Math.abs(Number(effect)))))
    for (const name of ['attn_out', 'z']) {
      await expect.poll(async () => Number(await grid(name).getByTestId('heat-legend').getAttribute('data-bound'))).toBeCloseTo(largest, 2)
    }
    expect(await page.evaluate(() => location.hash)).toContain('show=raw')
  })

  test('stand in a table that sorts, and are copied in full', async () => {
    await page.getByTestId('patch-table').click()
    const rows = page.getByTestId('patch-rows').locator('tbody tr[data-site]')
    const strongest = Math.max(...engine.sites.flatMap(({ effects }) => effects.flat().map(Number)))
    expect(Number(await rows.first().getAttribute('data-effect'))).toBeCloseTo(strongest, 3)
    await page.locator('[data-column="site"] button').click()
    expect(await rows.first().getAttribute('data-site')).toBe('resid_pre')
    await photograph(page, 'patching-table')
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByTestId('patch-copy').click()
    const copied = (await page.evaluate(() => navigator.clipboard.readText())).split('\n').map(line => line.split('\t'))
    expect(copied[0]?.slice(0, 4)).toEqual(['site', 'layer', 'position', 'head'])
    // Three sites and a head by position, and four heads.
    expect(copied.length - 1).toBe(4 * (4 * 21 + 4))
    await page.getByTestId('patch-table').click()
  })

  test('are pictures too', async () => {
    for (const kind of ['png', 'svg'] as const) {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId(`${kind}-attn_out`).click()])
      expect(download.suggestedFilename()).toBe(`splice-patching-attn_out.${kind}`)
      const bytes = readFileSync(await download.path())
      if (kind === 'png') expect([...bytes.subarray(1, 4)]).toEqual([...Buffer.from('PNG')])
      else for (const text of ['Patching attn_out', 'Anna←Mary', 'logit of']) expect(bytes.toString()).toContain(text)
    }
  })
})

describe('what is kept', () => {
  test('is shown again after a reload with the cell of the address, is removed and comes back', async () => {
    await clickCell('resid_pre', 2, 20, 21)
    await expect.poll(() => page.evaluate(() => location.hash)).toContain('layer=2&token=20')
    await page.reload()
    await grid('z-head-2').waitFor()
    expect(await page.getByTestId('source').inputValue()).toBe(ball('Mary'))
    await page.getByTestId('patch-predictions').waitFor()
    expect(await page.getByTestId('patch-hook').textContent()).toBe('blocks.2.hook_resid_pre')
    const kept = page.locator('[data-testid^="kept-"]')
    expect(await kept.count()).toBe(2)
    await page.locator('[data-testid^="remove-"]').first().click()
    await expect.poll(() => kept.count()).toBe(1)
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect.poll(() => kept.count()).toBe(2)
  })

  test('fits a small window', async () => {
    await page.setViewportSize({ width: 1024, height: 640 })
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    expect(overflow).toBeLessThanOrEqual(0)
    await page.screenshot({ path: 'test-results/screenshots/patching-light-1024x640.png' })
    await page.setViewportSize({ width: 1280, height: 800 })
  })
})

test('it is cancelled, and says so', async () => {
  const long = (name: string) => Array(14).fill(ball(name)).join(' ')
  await runPrompt(page, long('Anna'))
  await page.getByTestId('source').fill(long('Mary'))
  await expect.poll(() => page.getByTestId('source-count').textContent()).toMatch(/as the prompt$/)
  await page.getByTestId('patch-start').click()
  await page.getByTestId('patch-cancel').click()
  await page.getByTestId('patch-cancelled').waitFor()
})

test('the palette leads here', async () => {
  await page.getByTestId('nav-compare').click()
  await page.keyboard.press('Control+k')
  await page.getByTestId('palette-query').fill('causal tracing')
  await page.locator('[data-testid="palette-item"][data-key="action:go.patching"]').click()
  await page.getByTestId('source').waitFor()
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
