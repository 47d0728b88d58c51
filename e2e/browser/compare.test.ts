/** The main job, done by a person in a browser. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type RunResult, runResult } from '../../src/contract/run.ts'
import { photograph } from '../chromium.ts'
import { demo, root, splice, temporaryFolder } from '../command-line.ts'
import { largestDifference } from '../golden.ts'
import { keepPictureOfFailures, openWorkbench, runPrompt, stripValues, type Workbench } from '../workbench.ts'

const home = temporaryFolder()
/** Another home: the engine on the command line knows nothing of the browser's. */
const otherHome = temporaryFolder()
let workbench: Workbench
let page: Page

const report = z
  .object({
    prompts: z.record(
      z.string(),
      z.object({
        prompt: z.string(),
        tokens: z.array(z.string()),
        log_probs_clean: z.array(z.number()),
        log_probs_spliced: z.array(z.number())
      })
    )
  })
  .parse(JSON.parse(readFileSync(join(root, 'resources/demo/report.json'), 'utf8')))
const wormhole = 'Would you be able to travel through time using a wormhole?'

/** The numbers of a variant, as the screen holds them. */
function numbersOf(run: RunResult, variant: string): (number | null)[] {
  const found = run.variants.find(other => other.name === variant)
  return (found?.logProbs ?? []).map(value => (value === null ? null : Number(value)))
}

/** The same run, asked of an engine of its own on the command line. */
async function engineRun(prompt: string): Promise<RunResult> {
  const args = ['--sae', `l0_15=${demo.sae}`, '--sae', `l0_3=${demo.roughSae}`, '--variant', 'l0_15=l0_15', '--variant', 'l0_3=l0_3']
  const { stdout, stderr } = await splice(
    ['run', '--model', demo.model, ...args, '--prompt', prompt, '--splice-positions', 'no-special', '--json'],
    { home: otherHome }
  )
  expect(stderr).toBe('')
  return runResult.parse(JSON.parse(stdout))
}

beforeAll(async () => {
  workbench = await openWorkbench(home)
  page = workbench.page
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

describe('the first start', () => {
  test('opens on the demo: model, both SAEs, prompt and numbers', async () => {
    expect(await page.getByTestId('prompt').inputValue()).toBe(wormhole)
    for (const strip of ['strip-clean', 'strip-spliced: l0_15', 'strip-spliced: l0_3', 'strip-difference']) {
      expect(await page.getByTestId(strip).count()).toBeGreaterThan(0)
    }
    expect(await page.getByTestId('token-count').textContent()).toContain('14 tokens, BOS added')
    await page.waitForFunction(() =>
      /mirror 4,138 explanations/.test(document.querySelector('[data-testid="status-mirror"]')?.textContent ?? '')
    )
    await photograph(page, 'compare')
    // The very first run already knows what its features are said to mean, however busy the import of the demo still was.
    await page.getByTestId('strip-clean').locator('[data-position="11"]').click()
    expect(await page.getByTestId('features-own').locator('.explanation').count()).toBeGreaterThan(0)
    await page.keyboard.press('Escape')
  })
})

describe('numbers', () => {
  test.each(Object.entries(report.prompts))('%s: on screen are the numbers of the engine and of the report', async (name, expected) => {
    await runPrompt(page, expected.prompt)
    const engine = await engineRun(expected.prompt)
    const clean = (await stripValues(page, 'strip-clean', 'data-logprob')).slice(0, expected.tokens.length)
    const spliced = (await stripValues(page, 'strip-spliced: l0_15', 'data-logprob')).slice(0, expected.tokens.length)
    const rough = (await stripValues(page, 'strip-spliced: l0_3', 'data-logprob')).slice(0, expected.tokens.length)

    expect(largestDifference(clean, numbersOf(engine, 'clean'))).toBeLessThan(1e-5)
    expect(largestDifference(spliced, numbersOf(engine, 'l0_15'))).toBeLessThan(1e-5)
    expect(largestDifference(rough, numbersOf(engine, 'l0_3'))).toBeLessThan(1e-5)
    expect(largestDifference(clean.slice(1), expected.log_probs_clean)).toBeLessThan(1e-3)
    expect(largestDifference(spliced.slice(1), expected.log_probs_spliced)).toBeLessThan(1e-3)

    const loss = Number(engine.variants[0]?.loss)
    expect(await page.getByTestId('loss-clean').first().textContent()).toBe(loss.toFixed(3))
    const l0 = await page.getByTestId('sae-l0_15-clean').getByTestId('l0').getAttribute('data-value')
    expect(Number(l0)).toBeCloseTo(Number(engine.saes[0]?.byVariant.clean?.l0), 4)
    await photograph(page, `compare-${name}`)
  })
})

describe('a token', () => {
  test('is chosen by keyboard in every strip, and the inspector tells what predicted it', async () => {
    await runPrompt(page, wormhole)
    const engine = await engineRun(wormhole)
    await page.getByTestId('strip-clean').first().locator('[data-position="0"]').click()
    for (let at = 0; at < 11; at++) await page.keyboard.press('ArrowRight')
    expect(await page.getByTestId('inspector').getAttribute('data-position')).toBe('11')
    for (const strip of ['strip-clean', 'strip-spliced: l0_15', 'strip-difference']) {
      const selected = page.getByTestId(strip).locator('[aria-selected="true"]')
      expect(await selected.getAttribute('data-position')).toBe('11')
    }
    const predicted = page.getByTestId('predicted')
    const clean = engine.variants[0]
    expect(await predicted.getByTestId('logprob-clean').textContent()).toContain(Number(clean?.logProbs[11]).toFixed(3))
    expect(await predicted.getByTestId('rank-clean').textContent()).toContain(String(clean?.ranks[11]))
    const before = engine.saes[0]?.byVariant.clean?.features[10]?.[0]
    const own = engine.saes[0]?.byVariant.clean?.features[11]?.[0]
    const first = (section: string) => page.getByTestId(section).locator('[data-testid^="feature-l0_15-"]').first()
    expect(await first('features-before').getAttribute('data-testid')).toBe(`feature-l0_15-${before?.index}`)
    expect(await first('features-own').getAttribute('data-testid')).toBe(`feature-l0_15-${own?.index}`)
    for (const { description } of own?.explanations ?? []) expect(await first('features-own').textContent()).toContain(description)
    await photograph(page, 'compare-token')
  })

  test('stays in the inspector when it is pinned, until Esc', async () => {
    await page.keyboard.press('Shift')
    await page.keyboard.press('ArrowLeft')
    expect(await page.getByTestId('inspector').getAttribute('data-position')).toBe('11')
    await page.keyboard.press('Escape')
    expect(await page.getByTestId('inspector').getAttribute('data-position')).toBe('10')
  })

  test('the prediction after the last one has a cell of its own', async () => {
    await page.getByTestId('token-next').first().click()
    expect(await page.getByTestId('inspector').getAttribute('data-position')).toBe('14')
    await page.keyboard.press('Escape')
  })
})
