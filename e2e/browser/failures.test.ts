/** What goes wrong: folders that are broken, prompts that cannot run, processes that hang or die. The workbench says so and goes on. */
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeBrokenModels } from '../broken-models.ts'
import { photograph } from '../chromium.ts'
import { temporaryFolder } from '../command-line.ts'
import { golden, largestDifference } from '../golden.ts'
import { afterRun, keepPictureOfFailures, openWorkbench, processShown, runPrompt, stripValues, type Workbench } from '../workbench.ts'

const wormhole = 'Would you be able to travel through time using a wormhole?'
const broken = temporaryFolder()
let workbench: Workbench
let page: Page
let first: (number | null)[]

beforeAll(async () => {
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  first = await stripValues(page, 'strip-clean', 'data-logprob')
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

/** Opens a path through a picker's field, as a person who pastes it. */
async function openPath(picker: 'model-picker' | 'add-sae', path: string): Promise<void> {
  await page.getByTestId(picker).click()
  await page.getByTestId('path-field').fill(path)
  await page.getByTestId('path-field').press('Enter')
}

/** Everything that the window says is wrong. */
async function troubles(): Promise<string> {
  const notes = page.locator('[data-testid="error-note"], [data-testid="toast"][data-level="error"]')
  await notes.first().waitFor()
  return (await notes.allTextContents()).join('\n')
}

async function dismissAll(): Promise<void> {
  const toasts = page.getByTestId('toast')
  while ((await toasts.count()) > 0) await toasts.first().getByLabel('Dismiss').click()
  await page.keyboard.press('Escape')
}

/** The demo's prompt runs and gives the numbers it gave at first. */
async function expectItGoesOn(): Promise<void> {
  await runPrompt(page, wormhole)
  expect(await page.getByTestId('prompt').inputValue()).toBe(wormhole)
  expect(largestDifference(await stripValues(page, 'strip-clean', 'data-logprob'), first)).toBeLessThan(1e-6)
}

describe('files', () => {
  test.each(Object.entries(makeBrokenModels(broken)))('a model folder: %s', async (name, named) => {
    await openPath('model-picker', join(broken, name))
    expect(await troubles()).toMatch(named)
    await photograph(page, `error-${name}`)
    await dismissAll()
    await expectItGoesOn()
  })

  test('an SAE whose shapes do not fit the model', async () => {
    await openPath('add-sae', join(golden, 'saes/google/gemma-scope-2b-pt-res/layer_1/width_128/average_l0_13'))
    expect(await troubles()).toMatch(/average_l0_13 reads 32 features, but no hook point of demo has as many/)
    await photograph(page, 'error-sae-shape')
    await dismissAll()
    await expectItGoesOn()
  })
})

describe('prompts', () => {
  /** Ticks or clears BOS, which runs the prompt again. */
  const setBos = (on: boolean) => afterRun(page, () => page.getByTestId('bos').setChecked(on))

  test('an empty one', async () => {
    await setBos(false)
    await page.getByTestId('prompt').fill('')
    await page.getByTestId('prompt').press('Enter')
    expect(await troubles()).toMatch(/empty/i)
    await dismissAll()
    await page.getByTestId('prompt').fill(wormhole)
    await setBos(true)
    await expectItGoesOn()
  })

  test("one longer than the model's context", async () => {
    await page.getByTestId('prompt').fill('time '.repeat(600))
    await page.getByTestId('prompt').press('Enter')
    expect(await troubles()).toMatch(/512/)
    await photograph(page, 'error-too-long')
    await dismissAll()
    await expectItGoesOn()
  })

  test('one of a single token works', async () => {
    await setBos(false)
    await runPrompt(page, 'Once')
    expect(await stripValues(page, 'strip-clean', 'data-logprob')).toHaveLength(2)
    await setBos(true)
    await expectItGoesOn()
  })
})

describe('an inference process that hangs', () => {
  test('can be cancelled at once, and searches go on meanwhile', async () => {
    const stuck = await processShown(page, 'status-inference')
    process.kill(stuck, 'SIGSTOP')
    try {
      await page.getByTestId('prompt').fill('Once upon a time')
      await page.getByTestId('prompt').press('Enter')
      await page.getByTestId('cancel').waitFor()
      await photograph(page, 'running')
      await page.getByTestId('nav-explanations').click()
      await page.getByTestId('explanations-search').fill('wormhole')
      await page.getByTestId('hit-0').waitFor()
      await page.getByTestId('nav-compare').click()
      await page.getByTestId('cancel').click()
      await page.getByTestId('cancelled').waitFor()
      expect(await page.getByTestId('cancel').count()).toBe(0)
      // The result from before is still there.
      expect(largestDifference(await stripValues(page, 'strip-clean', 'data-logprob'), first)).toBeLessThan(1e-6)
    } finally {
      continueProcess(stuck)
    }
    await expectItGoesOn()
  })
})

describe('processes that die', () => {
  test('the inference process: the window says so, another one starts, the next run works', async () => {
    const before = await processShown(page, 'status-inference')
    process.kill(before, 'SIGKILL')
    await page.getByTestId('toast').first().waitFor()
    await photograph(page, 'inference-died')
    await expectItGoesOn()
    expect(await processShown(page, 'status-inference')).not.toBe(before)
    await dismissAll()
  })

  test('the inference process in the middle of a run: the run ends with an error, the next one works', async () => {
    const before = await processShown(page, 'status-inference')
    process.kill(before, 'SIGSTOP')
    await page.getByTestId('prompt').press('Enter')
    await page.getByTestId('cancel').waitFor()
    process.kill(before, 'SIGKILL')
    await troubles()
    await dismissAll()
    await expectItGoesOn()
  })

  test('the engine: the window says so, connects again by itself, the next run works', async () => {
    const before = await processShown(page, 'status-engine')
    process.kill(before, 'SIGKILL')
    await page.getByTestId('toast').first().waitFor()
    await photograph(page, 'engine-died')
    await expectItGoesOn()
    expect(await processShown(page, 'status-engine')).not.toBe(before)
  })
})

function continueProcess(id: number): void {
  try {
    process.kill(id, 'SIGCONT')
  } catch (thrown) {
    // Cancelling may have ended it already.
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'ESRCH')) throw thrown
  }
}
