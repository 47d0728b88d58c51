/** Harvesting features from a text: what it will take is said, it can be stopped and gone on with, and its sources are pages as others. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { featurePage } from '../../src/contract/explanations.ts'
import { photograph } from '../chromium.ts'
import { splice, temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, type Workbench } from '../workbench.ts'

const folder = temporaryFolder()
const short = join(folder, 'foxes.jsonl')
const long = join(folder, 'long.jsonl')
const document = (at: number) =>
  JSON.stringify({
    text: `Once upon a time there were ${at} foxes${' who looked for the old key'.repeat(at % 4)}. Would you be able to travel through time using a wormhole?`
  })
const source = 'demo-gemma2-tiny/2-own-width_1k-average_l0_15'
let workbench: Workbench
let page: Page

beforeAll(async () => {
  writeFileSync(short, Array.from({ length: 120 }, (_, at) => document(at)).join('\n'))
  writeFileSync(long, Array.from({ length: 20_000 }, (_, at) => document(at)).join('\n'))
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

async function openDialog(text: string, tokens: string): Promise<void> {
  await page.goto(`${new URL(page.url()).origin}/#/explanations/sources`)
  await page.getByTestId('harvest-open').click()
  await page.getByTestId('harvest-texts').fill(text)
  await page.getByTestId('harvest-tokens').fill(tokens)
}

test('says what it will hold before it begins, and that it does not fit or cannot be', async () => {
  await openDialog(join(folder, 'gone.txt'), '4,000')
  await expect.poll(() => page.getByRole('alert').last().textContent()).toContain('gone.txt does not exist')
  expect(await page.getByTestId('harvest-start').isDisabled()).toBe(true)
  await page.getByTestId('harvest-texts').fill(short)
  await expect.poll(() => page.getByTestId('harvest-plan').textContent()).toMatch(/however many tokens: [\d,]+ features × 17\.\d kB/)
  await page.getByTestId('harvest-tokens').fill('many')
  expect(await page.getByTestId('harvest-problem').textContent()).toBe('Tokens are a whole number from 1.')
  await page.getByTestId('harvest-tokens').fill('4000')
  await page.getByTestId('harvest-plan').waitFor()
  await photograph(page, 'harvest')
})

test('fills sources of its own, which the feature page shows as others, saying whose text it was', async () => {
  await page.getByTestId('harvest-start').click()
  await page.getByTestId('harvest-result').waitFor()
  await photograph(page, 'harvest-result')
  await page.getByTestId(`harvested-${source}`).getByRole('link', { name: source }).click()
  await page.getByTestId('source-overview').waitFor()
  await expect.poll(() => page.getByTestId('overview-harvest').textContent()).toContain(short)
  expect(await page.getByTestId(`source-${source}`).getByTestId('own-badge').textContent()).toBe('own')
  await photograph(page, 'harvested-source')

  const outcome = await splice(['feature', `${source}/10`, '--json'], { home: workbench.home })
  const known = featurePage.parse(JSON.parse(outcome.stdout))
  await page.goto(`${new URL(page.url()).origin}/#/feature/${source}/10`)
  await page.locator('[data-testid="feature-page"][data-index="10"][aria-busy="false"]').waitFor()
  await page.getByTestId('histogram').waitFor()
  expect(await page.getByTestId('max-activation').textContent()).toBe(Number(known.statistics?.maxActivation).toFixed(2))
  expect(await page.getByTestId('feature-harvest').textContent()).toContain(
    `${known.harvest?.counted.toLocaleString('en-US')} of them counted`
  )
  expect(known.examples.length).toBeGreaterThan(5)
  expect(await page.locator('[data-testid^="example-"]').count()).toBe(Math.min(20, known.examples.length))
  // The SAE is open: its levers, its weights and the run are there, and the way to Neuronpedia's source.
  await page.getByTestId('feature-run').waitFor()
  await page.getByTestId('decoder-norm').waitFor()
  await photograph(page, 'harvested-feature')
  await page.getByTestId('same-feature').first().click()
  await page.locator('[data-testid="feature-page"][data-source="demo-gemma2-tiny/2-demo-res-1k"]').waitFor()
  await page.getByTestId('same-feature').filter({ hasText: '2-own-width_1k-average_l0_15' }).click()
  await page.locator(`[data-testid="feature-page"][data-source="${source}"]`).waitFor()
})

test('can be stopped, is kept, goes on, and can be forgotten', async () => {
  await openDialog(long, '400000')
  await page.getByTestId('harvest-name').fill('long')
  await page.getByTestId('harvest-start').click()
  await expect.poll(() => page.getByTestId('harvest-progress').textContent(), { timeout: 30_000 }).toMatch(/[\d,]+ of about 400,000 tokens/)
  await page.keyboard.press('Escape')
  await page.getByTestId('status-harvest').click()
  await photograph(page, 'harvest-progress')
  await page.getByTestId('harvest-cancel').click()
  await page.getByTestId('harvest-cancelled').waitFor()
  await expect.poll(() => page.getByTestId('harvest-unfinished').textContent()).toMatch(/long\.jsonl.*[\d,]+ of 400,000 tokens/)
  const begun = async () =>
    Number((await page.getByTestId('harvest-unfinished').textContent())?.match(/([\d,]+) of 400,000/)?.[1]?.replaceAll(',', ''))
  const before = await begun()
  expect(before).toBeGreaterThan(0)
  await page.getByTestId('harvest-start').getByText('Go on').click()
  await expect.poll(() => page.getByTestId('harvest-progress').textContent(), { timeout: 30_000 }).toMatch(/tokens\/s/)
  await page.getByTestId('harvest-cancel').click()
  await page.getByTestId('harvest-cancelled').waitFor()
  await expect.poll(begun).toBeGreaterThan(before)
  const stopped = await begun()
  await expect
    .poll(() => page.getByTestId('harvest-kept').textContent())
    .toBe(`${stopped.toLocaleString('en-US')} tokens are done and kept.`)
  await photograph(page, 'harvest-unfinished')
  await page.getByTestId('unfinished-forget').click()
  await expect.poll(() => page.getByTestId('harvest-unfinished').count()).toBe(0)
  expect(workbench.problems).toEqual([])
})
