/** Searching what features are said to mean, and a feature's page. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { photograph } from '../chromium.ts'
import { demo, root, splice, temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, type Workbench } from '../workbench.ts'

const home = temporaryFolder()
let workbench: Workbench
let page: Page

const rows = z
  .array(z.object({ index: z.string(), description: z.string() }))
  .parse(JSON.parse(readFileSync(join(demo.explanations, '2-demo-res-1k.json'), 'utf8')))

const feature = z.object({ index: z.coerce.number(), maxActApprox: z.number(), activations: z.array(z.unknown()) })
const features = gunzipSync(readFileSync(join(root, 'resources/demo/features/2-demo-res-1k.jsonl.gz')))
  .toString()
  .trimEnd()
  .split('\n')
  .map(line => feature.parse(JSON.parse(line)))

beforeAll(async () => {
  workbench = await openWorkbench(home)
  page = workbench.page
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

async function search(query: string): Promise<void> {
  await page.getByTestId('explanations-search').fill(query)
  await page.waitForFunction(
    text => document.querySelector('[data-testid="hit-0"]')?.textContent?.toLowerCase().includes(text),
    query.toLowerCase()
  )
}

describe('the search', () => {
  test('lists what can be searched before anything is typed', async () => {
    await page.getByTestId('nav-explanations').click()
    await page.getByTestId('search-start').waitFor()
    await photograph(page, 'explanations')
    await page.getByTestId('tab-sources').click()
    await page.getByTestId('source-demo-gemma2-tiny/2-demo-res-1k').waitFor()
    await page.getByTestId('tab-search').click()
  })

  test('finds "decept" as one types, in every source, with each hit marked', async () => {
    await search('decept')
    const { stdout } = await splice(['search', 'decept', '--json'], { home })
    const { total } = z.object({ total: z.int() }).parse(JSON.parse(stdout))
    expect(total).toBeGreaterThan(10)
    expect(await page.getByTestId('search-count').textContent()).toContain(`${total} hits`)
    const marks = await page.locator('[data-testid^="hit-"] mark').allTextContents()
    expect(marks.length).toBeGreaterThan(5)
    for (const mark of marks) expect(mark.toLowerCase()).toBe('decept')
    await photograph(page, 'explanations-decept')
  })

  test('says so where nothing is found', async () => {
    await page.getByTestId('explanations-search').fill('qqqqqq')
    await page.getByTestId('no-hits').waitFor()
    await photograph(page, 'explanations-none')
  })
})

describe('a feature page', () => {
  test('opens from a hit and shows all its explanations, statistics and examples', async () => {
    await search('the stem of deception and deceptive')
    await page.getByTestId('hit-0').getByRole('link').click()
    await page.locator('[data-testid="feature-page"][data-index="656"]').waitFor()
    expect(page.url()).toContain('#/feature/demo-gemma2-tiny/2-demo-res-1k/656')
    const said = (await page.getByTestId('feature-explanations').textContent()) ?? ''
    const own = rows.filter(row => row.index === '656')
    expect(own).toHaveLength(2)
    for (const { description } of own) expect(said).toContain(description)
    const known = features.find(feature => feature.index === 656)
    expect(await page.getByTestId('max-activation').textContent()).toContain(known?.maxActApprox.toFixed(2))
    expect(await page.locator('[data-testid^="example-"]').count()).toBe(known?.activations.length)
    // The demo is not on Neuronpedia.
    expect(await page.getByTestId('neuronpedia').count()).toBe(0)
    await photograph(page, 'feature')
  })

  test('back leads to the hits again', async () => {
    await page.goBack()
    await page.getByTestId('hit-0').waitFor()
    expect(await page.getByTestId('explanations-search').inputValue()).toBe('the stem of deception and deceptive')
  })
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
