/** The logit lens: layers by positions for any variant, a cell looked into, differences, the table behind it, files. */
import { readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type LensResult, lensResult } from '../../src/contract/logit-lens.ts'
import { photograph } from '../chromium.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, runPrompt, type Workbench } from '../workbench.ts'

const wormhole = 'Would you be able to travel through time using a wormhole?'
const otherHome = temporaryFolder()
let workbench: Workbench
let page: Page
/** The same prompt through the lens of an engine of its own. */
let engine: LensResult

beforeAll(async () => {
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  const saes = ['--sae', `fine=${demo.sae}`, '--sae', `rough=${demo.roughSae}`, '--variant', 'fine=fine', '--variant', 'rough=rough']
  const args = [...saes, '--variants', 'clean', '--top-k', '10', '--splice-positions', 'no-special', '--prompt', wormhole, '--json']
  engine = lensResult.parse(JSON.parse((await splice(['logit-lens', '--model', demo.model, ...args], { home: otherHome })).stdout))
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

const layersOf = (variant: string) => engine.variants.find(({ name }) => name === variant)?.layers ?? []
const labels = () => layersOf('clean').map(({ label }) => label)

/** Clicks a cell of the heat map; rows stand from the final prediction down. */
async function clickCell(label: string, position: number): Promise<void> {
  const map = page.locator('[data-testid="heatmap"][data-columns]')
  const [x = 0, y = 0, width = 0, height = 0] = ((await map.getAttribute('data-plot')) ?? '').split(' ').map(Number)
  const rows = labels().reverse()
  const at = { x: ((position + 0.5) / engine.tokens.length) * width, y: ((rows.indexOf(label) + 0.5) / rows.length) * height }
  await map.click({ position: { x: x + at.x, y: y + at.y } })
}

/** The ids and log-probs of a column of the inspector's table. */
async function guesses(variant: string): Promise<[number, number][]> {
  const cells = await page
    .locator(`[data-testid^="top-${variant}-"]`)
    .evaluateAll(found => found.map(cell => [cell.getAttribute('data-id'), cell.getAttribute('data-logprob')]))
  return cells.map(([id, logProb]) => [Number(id), Number(logProb)])
}

const expected = (variant: string, label: string, position: number) =>
  layersOf(variant)
    .find(layer => layer.label === label)
    ?.topK[position]?.map(({ id, logProb }) => [id, expect.closeTo(Number(logProb), 3)])

describe('the heat map', () => {
  test('has a row for every layer and a column for every token', async () => {
    await runPrompt(page, wormhole)
    await page.getByTestId('nav-lens').click()
    const map = page.locator('[data-testid="heatmap"][data-columns]')
    await map.waitFor()
    await expect.poll(() => map.getAttribute('data-columns')).toBe(`0:${engine.tokens.length}`)
    expect(await map.getAttribute('data-rows')).toBe(`0:${labels().length}`)
    expect(await page.getByTestId('lens-variant').locator('option').allTextContents()).toContain('clean')
    await photograph(page, 'lens')
  })

  test('opens a cell: what its layer predicts in every variant', async () => {
    await clickCell('2_pre', 11)
    expect(await page.getByTestId('lens-cell').textContent()).toBe('2_pre')
    expect(await guesses('clean')).toEqual(expected('clean', '2_pre', 11))
    await clickCell('final_post', 11)
    expect(await guesses('clean')).toEqual(expected('clean', 'final_post', 11))
    expect(await guesses('spliced: l0_15')).toEqual(expected('fine', 'final_post', 11))
    expect(await guesses('spliced: l0_3')).toEqual(expected('rough', 'final_post', 11))
    expect(Number(await page.getByTestId('lens-kl-clean').getAttribute('data-value'))).toBe(0)
    const path = await page.getByTestId('lens-path').locator('tbody td:first-child').allTextContents()
    expect(path).toEqual(labels().reverse())
    await photograph(page, 'lens-cell')
  })

  test('is walked through by keyboard, and the token is the one that is selected everywhere', async () => {
    const map = page.getByTestId('heatmap')
    await map.press('ArrowDown')
    await map.press('ArrowLeft')
    expect(await page.getByTestId('lens-cell').textContent()).toBe(labels().at(-2))
    expect(await guesses('clean')).toEqual(expected('clean', labels().at(-2) ?? '', 10))
    expect(await page.getByTestId('lens-readout').textContent()).toContain(`${labels().at(-2)} after 10`)
    await expect.poll(() => page.evaluate(() => location.hash)).toMatch(/layer=\d+_pre.*token=10|token=10.*layer=\d+_pre/)
    await page.getByTestId('nav-features').click()
    await page.getByTestId('feature-strip-clean').locator('.selected').first().waitFor()
    expect(await page.getByTestId('feature-strip-clean').locator('.selected').getAttribute('data-position')).toBe('10')
    await page.goBack()
    await page.getByTestId('lens-cell').waitFor()
  })

  test('shows another quantity, another variant, and the difference of two', async () => {
    await page.getByTestId('lens-quantity').selectOption('kl')
    const largest = Math.max(...layersOf('clean').flatMap(({ klToFinal }) => klToFinal.map(Number)))
    expect(Number(await page.getByTestId('heat-legend').getAttribute('data-bound'))).toBeCloseTo(largest, 2)
    await photograph(page, 'lens-kl')
    await page.getByTestId('lens-variant').selectOption('spliced: l0_3')
    await page.getByTestId('lens-against').selectOption('clean')
    await page.getByTestId('lens-quantity').selectOption('top')
    const probability = (variant: string) => layersOf(variant).map(({ topK }) => topK.map(([best]) => Math.exp(Number(best?.logProb))))
    const [rough, clean] = [probability('rough'), probability('clean')]
    const most = Math.max(...rough.flatMap((row, layer) => row.map((value, at) => Math.abs(value - (clean[layer]?.[at] ?? 0)))))
    expect(Number(await page.getByTestId('heat-legend').getAttribute('data-bound'))).toBeCloseTo(most, 3)
    await photograph(page, 'lens-difference')
    await page.getByTestId('lens-against').selectOption('')
    await page.getByTestId('lens-variant').selectOption('clean')
  })
})

describe('its numbers', () => {
  test('stand in a table that sorts, and are copied with every variant', async () => {
    await page.getByTestId('lens-table').click()
    const rows = page.getByTestId('lens-rows').locator('tbody tr:not([aria-hidden])')
    expect(await rows.first().getAttribute('data-layer')).toBe('final_post')
    await page.locator('[data-column="kl"] button').click()
    const worst = layersOf('clean').flatMap(({ label, klToFinal }) =>
      klToFinal.map((kl, position) => ({ label, kl: Number(kl), position }))
    )
    worst.sort((a, b) => b.kl - a.kl)
    expect(await rows.first().getAttribute('data-layer')).toBe(worst[0]?.label)
    expect(await rows.first().getAttribute('data-position')).toBe(String(worst[0]?.position))
    await photograph(page, 'lens-table')
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByTestId('lens-copy').click()
    const copied = (await page.evaluate(() => navigator.clipboard.readText())).split('\n').map(line => line.split('\t'))
    expect(copied.length - 1).toBe(engine.tokens.length * labels().length * 3)
    const [, first] = copied
    const best = layersOf('clean').at(-1)?.topK[0]?.[0]
    expect(first?.slice(0, 3)).toEqual(['clean', 'final_post', '0'])
    expect(Number(first?.[5])).toBe(best?.id)
    expect(Number(first?.[7])).toBeCloseTo(Number(best?.logProb), 3)
    await page.getByTestId('lens-table').click()
  })

  test('are pictures too', async () => {
    for (const kind of ['png', 'svg'] as const) {
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId(`lens-${kind}`).click()])
      expect(download.suggestedFilename()).toBe(`splice-logit-lens.${kind}`)
      const bytes = readFileSync(await download.path())
      if (kind === 'png') expect([...bytes.subarray(1, 4)]).toEqual([...Buffer.from('PNG')])
      else for (const text of ['final_post', 'probability of the top token', '0_pre']) expect(bytes.toString()).toContain(text)
    }
  })
})

test('it fits a small window', async () => {
  await page.setViewportSize({ width: 1024, height: 640 })
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
  expect(overflow).toBeLessThanOrEqual(0)
  await page.screenshot({ path: 'test-results/screenshots/lens-light-1024x640.png' })
  await page.setViewportSize({ width: 1280, height: 800 })
})

test('a new run is read anew, and the command of the palette leads here', async () => {
  await runPrompt(page, 'Ann has a red cup')
  await expect.poll(() => page.locator('[data-testid="heatmap"]').getAttribute('data-columns')).not.toBe(`0:${engine.tokens.length}`)
  await page.getByTestId('nav-compare').click()
  await page.keyboard.press('Control+k')
  await page.getByTestId('palette-query').fill('logit lens')
  await page.locator('[data-testid="palette-item"][data-key="action:go.lens"]').click()
  await page.getByTestId('lens-variant').waitFor()
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
