/** Searching a big mirror: 200,000 made-up explanations, whose hits the table scrolls through, narrows, sorts, keeps and exports. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { parse } from 'csv-parse/sync'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { writeBulkFiles } from '../../fixtures/synthetic-explanations.ts'
import { photograph } from '../chromium.ts'
import { splice, temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, type Workbench } from '../workbench.ts'

const home = temporaryFolder()
const folder = temporaryFolder()
const rowCount = 200_000
let workbench: Workbench
let page: Page

const storedRow = z.object({
  source: z.string(),
  layer: z.number(),
  feature: z.number(),
  description: z.string(),
  explainer: z.string().nullable()
})
type StoredRow = z.infer<typeof storedRow>
/** Every explanation in the order of the mirror, read past the search. */
let stored: StoredRow[] = []

function hitsOf(query: string): StoredRow[] {
  return stored.filter(({ description }) => description.toUpperCase().includes(query.toUpperCase()))
}

beforeAll(async () => {
  await writeBulkFiles(folder, { rows: rowCount, embeddings: false, vocabulary: 20_000 })
  expect(await splice(['import', folder], { home })).toMatchObject({ code: 0 })
  const database = new Sqlite(join(home, 'mirror.sqlite'), { readonly: true })
  const sql = `SELECT s.model || '/' || s.layer AS source, coalesce(s.layer_number, -1) AS layer, feature, description, x.name AS explainer
    FROM explanations e JOIN sources s ON s.id = e.source LEFT JOIN explainers x ON x.id = e.explainer ORDER BY e.rowid`
  stored = z.array(storedRow).parse(database.prepare(sql).all())
  database.close()
  workbench = await openWorkbench(home)
  page = workbench.page
  await page.getByTestId('nav-explanations').click()
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

const box = () => page.getByTestId('explanations-search')

async function ask(query: string, hits: number): Promise<void> {
  await box().fill(query)
  await page.waitForFunction(
    count => document.querySelector('[data-testid="search-count"]')?.textContent?.trim().startsWith(count),
    `${hits.toLocaleString('en-US')} hit`
  )
}

/** The row's text and its feature, once it is there. */
async function rowAt(row: number): Promise<{ description: string; feature: number }> {
  const element = page.locator(`[data-testid="hit-${row}"][aria-busy="false"]`)
  await element.waitFor()
  return {
    description: (await element.locator('.description').textContent()) ?? '',
    feature: Number(await element.locator('.index a').textContent())
  }
}

async function expectRow(row: number, expected: StoredRow | undefined): Promise<void> {
  expect(await rowAt(row)).toEqual({ description: expected?.description, feature: expected?.feature })
}

/** Drags the bar so far. */
async function scrollTo(share: number): Promise<void> {
  await page.getByTestId('hits').evaluate(async (element, to) => {
    element.scrollTop = (element.scrollHeight - element.clientHeight) * to
    // Two frames: one for the scroller to hear of it, one for the rows to follow.
    await new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))
  }, share)
}

describe('the hits', () => {
  test('of a common word are scrolled through to the last one, whichever way one goes', async () => {
    const expected = hitsOf('related')
    expect(expected.length).toBeGreaterThan(25_000)
    await ask('related', expected.length)
    await expectRow(0, expected[0])
    await scrollTo(0.5)
    const middle = Number((await page.locator('.hit').nth(8).getAttribute('data-testid'))?.slice(4))
    expect(Math.abs(middle - expected.length / 2)).toBeLessThan(200)
    await expectRow(middle, expected[middle])
    await photograph(page, 'hits-middle')
    await scrollTo(1)
    await expectRow(expected.length - 1, expected.at(-1))
    await box().focus()
    await page.keyboard.press('Control+Home')
    await expectRow(0, expected[0])
    await page.keyboard.press('Control+End')
    await expectRow(expected.length - 1, expected.at(-1))
  })

  test('scroll by the wheel without a gap: every row in sight is there and follows the one before', async () => {
    const expected = hitsOf('related')
    await page.keyboard.press('Control+Home')
    await expectRow(0, expected[0])
    await page.getByTestId('hits').hover()
    for (let turn = 0; turn < 12; turn++) await page.mouse.wheel(0, 700)
    await page.waitForFunction(
      () => document.querySelectorAll('.hit').length > 5 && document.querySelector('.hit[aria-busy="true"]') === null
    )
    const shown = await page
      .locator('.hit')
      .evaluateAll(rows => rows.map(row => [Number(row.id.slice(4)), row.querySelector('.description')?.textContent] as const))
    const ordered = [...shown].sort((one, other) => one[0] - other[0])
    const start = ordered[0]?.[0] ?? 0
    expect(start).toBeGreaterThan(100)
    expect(ordered).toEqual(ordered.map((_, at) => [start + at, expected[start + at]?.description]))
  })

  test('of 2 letters, of an odd query and of nothing are those of a plain look', async () => {
    for (const query of ['ze', '%', '"', 'é', 'of the ']) {
      const expected = hitsOf(query)
      if (expected.length === 0) continue
      await ask(query, expected.length)
      await expectRow(0, expected[0])
    }
    await box().fill('no such text anywhere')
    await page.getByTestId('no-hits').waitFor()
  })

  test('are counted by source, explainer and layer, and narrowed by them', async () => {
    const all = hitsOf('travel')
    await ask('travel', all.length)
    const source = 'synthetic-2b/3-synthetic-res-0'
    const inSource = all.filter(hit => hit.source === source)
    await page.getByTestId(`facet-source-${source}`).click()
    await ask('travel', inSource.length)
    expect(await page.getByTestId('filter-words').textContent()).toContain(source)
    await expectRow(0, inSource[0])
    const both = inSource.filter(hit => hit.explainer === 'gpt-3.5-turbo')
    await page.getByTestId('facet-explainer-gpt-3.5-turbo').click()
    await ask('travel', both.length)
    await page.getByTestId('clear-filters').click()
    const layers = all.filter(hit => hit.layer >= 2 && hit.layer <= 4)
    await page.getByTestId('filter-layers-from').fill('2')
    await page.getByTestId('filter-layers-to').fill('4')
    await page.getByTestId('filter-layers-to').press('Enter')
    await ask('travel', layers.length)
    await photograph(page, 'hits-narrowed')
    await page.getByTestId('clear-filters').click()
    await ask('travel', all.length)
  })

  test('are sorted by a column where they are few enough, and say why not where they are many', async () => {
    await ask('related', hitsOf('related').length)
    expect(await page.getByTestId('sort-index').getAttribute('aria-disabled')).toBe('true')
    const expected = hitsOf('emoji')
    expect(expected.length).toBeGreaterThan(50)
    await ask('emoji', expected.length)
    const features = expected.map(hit => hit.feature).sort((one, other) => one - other)
    await page.getByTestId('sort-index').click()
    await page.getByRole('columnheader', { name: 'feature ↑' }).waitFor()
    expect([(await rowAt(0)).feature, (await rowAt(3)).feature]).toEqual([features[0], features[3]])
    await page.getByTestId('sort-index').click()
    await page.getByRole('columnheader', { name: 'feature ↓' }).waitFor()
    expect((await rowAt(0)).feature).toBe(features.at(-1))
    await page.waitForURL(/sort=index-down/)
    await page.getByTestId('sort-index').click()
    await expectRow(0, expected[0])
  })
})

describe('a search', () => {
  test('by words points at a mistake where it stands, and finds the rest', async () => {
    await page.getByTestId('mode-words').click()
    await box().fill('emoji AND')
    await page.getByTestId('query-problem').waitFor()
    expect(await page.getByTestId('query-mistake').locator('i').textContent()).toBe('AND')
    expect((await rowAt(0)).description.toLowerCase()).toContain('emoji')
    await photograph(page, 'hits-mistake')
    await box().fill('emoji')
    await page.getByTestId('query-problem').waitFor({ state: 'detached' })
    await page.getByTestId('mode-substring').click()
  })

  test('is answered for the last key alone, however fast one types', async () => {
    await box().fill('')
    await box().pressSequentially('deceptive', { delay: 5 })
    const expected = hitsOf('deceptive')
    await page.waitForFunction(
      count => document.querySelector('[data-testid="search-count"]')?.textContent?.trim().startsWith(count),
      `${expected.length.toLocaleString('en-US')} hit`
    )
    await expectRow(0, expected[0])
  })

  test('is saved by a name, found again after a reload, and removed with a way back', async () => {
    await page.getByTestId('kept-searches').click()
    await page.getByTestId('save-search-name').fill('lies')
    await page.getByTestId('save-search').click()
    await page.getByTestId('saved-searches').getByText('lies').waitFor()
    await photograph(page, 'hits-kept')
    await page.keyboard.press('Escape')
    await page.goto(`${new URL(page.url()).origin}/#/explanations`)
    await page.reload()
    await page.getByTestId('start-saved').getByText('lies').click()
    await expectRow(0, hitsOf('deceptive')[0])
    await page.getByTestId('kept-searches').click()
    await page.getByRole('button', { name: 'Remove lies' }).click()
    await page.getByTestId('toast-action').click()
    await page.getByTestId('saved-searches').getByText('lies').waitFor()
    await page.keyboard.press('Escape')
  })

  test('exports every hit as CSV and JSON', async () => {
    const expected = hitsOf('deceptive')
    for (const format of ['csv', 'json'] as const) {
      await page.getByTestId('export-open').click()
      const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId(`export-${format}`).click()])
      expect(download.suggestedFilename()).toBe(`splice-deceptive.${format}`)
      const text = readFileSync(await download.path(), 'utf8')
      const rows: unknown = format === 'csv' ? parse(text, { columns: true }) : JSON.parse(text)
      const found = z.array(z.object({ modelId: z.string(), layer: z.string(), index: z.string(), description: z.string() })).parse(rows)
      expect(found.map(row => [`${row.modelId}/${row.layer}`, Number(row.index), row.description])).toEqual(
        expected.map(hit => [hit.source, hit.feature, hit.description])
      )
    }
  })

  test('is moved through and opened by keys, and Back finds it as it was', async () => {
    const expected = hitsOf('deceptive')
    // The menu of the export gives the focus back when it has closed.
    await page.locator('.popover').waitFor({ state: 'detached' })
    await expectRow(0, expected[0])
    await box().click()
    for (let step = 0; step < 30; step++) await page.keyboard.press('ArrowDown')
    await page.locator('[data-testid="hit-29"][aria-selected="true"]').waitFor()
    await expectRow(29, expected[29])
    await page.keyboard.press('Enter')
    await page.locator(`[data-testid="feature-page"][data-index="${expected[29]?.feature}"]`).waitFor()
    await page.goBack()
    await page.locator('[data-testid="hit-29"][aria-selected="true"]').waitFor()
    await page.keyboard.press('/')
    expect(await box().evaluate(element => element === document.activeElement)).toBe(true)
  })
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
