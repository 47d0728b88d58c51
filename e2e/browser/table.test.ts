/** The whole prompt as a table: a row per token, with log-probs, features and their meanings. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunResult, runResult, type SaeReading } from '../../src/contract/run.ts'
import { photograph } from '../chromium.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, startRun, type Workbench } from '../workbench.ts'

const wormhole = 'Would you be able to travel through time using a wormhole?'
const otherHome = temporaryFolder()
let workbench: Workbench
let page: Page
let engine: RunResult
let reading: SaeReading

beforeAll(async () => {
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  await page.waitForFunction(() =>
    /4,138 explanations, 4\s+sources$/.test(document.querySelector('[data-testid="status-mirror"]')?.textContent?.trim() ?? '')
  )
  await startRun(page)
  const args = ['--sae', demo.sae, '--variants', 'clean', '--top-features', '3', '--prompt', wormhole, '--json']
  engine = runResult.parse(JSON.parse((await splice(['run', '--model', demo.model, ...args], { home: otherHome })).stdout))
  const clean = engine.saes[0]?.byVariant.clean
  if (clean === undefined) throw new Error('the run has no reading')
  reading = clean
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

function positionsShown(): Promise<number[]> {
  return page
    .getByTestId('token-table')
    .locator('[data-position]')
    .evaluateAll(rows =>
      rows
        .map(row => ({ top: row.getBoundingClientRect().top, position: Number(row.getAttribute('data-position')) }))
        .sort((a, b) => a.top - b.top)
        .map(({ position }) => position)
    )
}

describe('the table', () => {
  test('has a row per token with its id, text, log-probs, features and their own explanations', async () => {
    await page.getByTestId('tab-table').click()
    await page.getByTestId('row-0').waitFor()
    await page.setViewportSize({ width: 1920, height: 1080 })
    for (const position of [0, 3, 6]) {
      const token = engine.tokens[position]
      const row = page.getByTestId(`row-${position}`)
      const text = (await row.textContent()) ?? ''
      expect(text).toContain(String(token?.id))
      const logProb = await page.getByTestId(`table-logprob-clean-${position}`).textContent()
      const expected = engine.variants[0]?.logProbs[position]
      expect(logProb).toBe(typeof expected === 'number' ? expected.toFixed(3) : '–')
      for (const feature of reading.features[position] ?? []) {
        const cell = page.getByTestId(`table-feature-${position}-${feature.index}`)
        const said = (await cell.textContent()) ?? ''
        expect(said).toContain(Number(feature.activation).toFixed(2))
        for (const { description } of feature.explanations) expect(said).toContain(description)
      }
    }
    await photograph(page, 'table')
  })

  test('ranks by share of the known maximum', async () => {
    const strongest = (reading.features[6] ?? []).map(feature => feature.index)
    await page.getByTestId('table-ranking').selectOption('share')
    const cells = page.getByTestId('row-6').locator('[data-testid^="table-feature-6-"]')
    const shares = await cells.locator('.share').allTextContents()
    const values = shares.map(text => Number.parseFloat(text))
    expect(values).toEqual([...values].sort((a, b) => b - a))
    await page.getByTestId('table-ranking').selectOption('activation')
    const ids = await cells.evaluateAll(elements => elements.map(element => Number(element.getAttribute('data-testid')?.split('-').at(-1))))
    expect(ids).toEqual(strongest)
  })

  test('hides special tokens, and sorts by log-prob', async () => {
    expect((await positionsShown())[0]).toBe(0)
    await page.getByTestId('table-hide-special').check()
    expect((await positionsShown())[0]).toBe(1)
    await page.getByRole('columnheader', { name: /clean/ }).getByRole('button').click()
    const logProbs = engine.variants[0]?.logProbs ?? []
    const lowest = [...logProbs.entries()]
      .slice(1)
      .sort(([, a], [, b]) => Number(a) - Number(b))
      .map(([position]) => position)
    expect((await positionsShown())[0]).toBe(lowest[0])
    await page.getByTestId('table-hide-special').uncheck()
  })

  test('copies as TSV', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByTestId('table-copy').click()
    const text = await page.evaluate(() => navigator.clipboard.readText())
    const [header = '', ...rows] = text
      .trimEnd()
      .split('\n')
      .map(line => line.split('\t'))
    expect(header).toContain('explanation')
    expect(new Set(rows.map(row => row[0])).size).toBe(engine.tokens.length)
    expect(new Set(rows.map(row => row.length))).toEqual(new Set([header.length]))
  })

  test('a feature opens its page, and back comes back to the table', async () => {
    const first = reading.features[6]?.[0]?.index
    await page.getByTestId(`table-feature-6-${first}`).getByRole('link').click()
    await page.locator(`[data-testid="feature-page"][data-index="${first}"]`).waitFor()
    await page.goBack()
    await page.getByTestId('row-6').waitFor()
  })
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
