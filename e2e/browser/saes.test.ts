/** SAEs as a person puts them on a model: the processing in force, the wrong-tensor alarm and its check, several together. */
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type RunResult, runResult } from '../../src/contract/run.ts'
import { photograph } from '../chromium.ts'
import { demo, root, splice, temporaryFolder } from '../command-line.ts'
import { golden, largestDifference } from '../golden.ts'
import { afterRun, keepPictureOfFailures, openWorkbench, runPrompt, stripValues, type Workbench } from '../workbench.ts'

const otherHome = temporaryFolder()
const temporary = temporaryFolder()
let workbench: Workbench
let page: Page

const report = z
  .object({ prompts: z.object({ deceptive: z.object({ prompt: z.string() }) }) })
  .parse(JSON.parse(readFileSync(join(root, 'resources/demo/report.json'), 'utf8')))
const scratchpad = report.prompts.deceptive.prompt
const earlySae = join(root, 'resources/demo/saes/demo-scope-res/layer_1/width_1k/average_l0_15')
const mlpSae = join(root, 'resources/demo/saes/demo-saelens/blocks.2.hook_mlp_out')

beforeAll(async () => {
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

const textOf = (testid: string) => page.getByTestId(testid).first().textContent()

/** The same question asked of an engine of its own on the command line. */
async function engineRun(args: readonly string[]): Promise<RunResult> {
  const { stdout } = await splice(
    ['run', '--model', demo.model, '--prompt', scratchpad, '--splice-positions', 'no-special', ...args, '--json'],
    { home: otherHome }
  )
  return runResult.parse(JSON.parse(stdout))
}

/** The numbers of a variant as the engine gives them. */
function numbersOf({ variants }: RunResult, variant: string): (number | null)[] {
  return (variants.find(({ name }) => name === variant)?.logProbs ?? []).map(value => (value === null ? null : Number(value)))
}

async function expectStrip(strip: string, expected: readonly (number | null)[]): Promise<void> {
  const shown = (await stripValues(page, strip, 'data-logprob')).slice(0, expected.length)
  expect(expected.length).toBeGreaterThan(40)
  expect(largestDifference(shown, [...expected])).toBeLessThan(1e-5)
}

/** Types into a field of an SAE's popover and leaves it. */
async function setField(testid: string, value: string): Promise<void> {
  await page.getByTestId(testid).fill(value)
  await page.getByTestId(testid).press('Tab')
}

describe('the processing chip', () => {
  test('says what is in force, why, and what each SAE asks for', async () => {
    await runPrompt(page, scratchpad)
    expect(await textOf('chip-processing')).toMatch(/processing: none\s*release/)
    await page.getByTestId('chip-processing').click()
    expect(await textOf('processing-why')).toContain('SAELens loads')
    expect(await textOf('processing-asked-l0_15')).toMatch(/l0_15\s*none\s*release demo-scope-res/)
    expect(await page.getByTestId('processing').inputValue()).toBe('auto')
    await photograph(page, 'processing-chip')
  })

  test('changes it, as a whole or flag by flag, and back', async () => {
    await afterRun(page, async () => {
      await page.getByTestId('processing').selectOption('all')
    })
    await expect.poll(() => textOf('chip-processing')).toMatch(/processing: all\s*by hand/)
    expect(await textOf('processing-why')).toContain('from_pretrained')
    const all = await engineRun(['--sae', `l0_15=${demo.sae}`, '--processing', 'all', '--variant', 'alone=l0_15'])
    await expectStrip('strip-clean', numbersOf(all, 'clean'))

    await afterRun(page, async () => {
      await page.getByTestId('processing').selectOption('list')
    })
    await afterRun(page, () => page.getByTestId('flag-fold_ln').uncheck())
    await expect.poll(() => textOf('chip-processing')).toMatch(/processing: center_writing_weights, center_unembed, fold_value_biases/)
    await afterRun(page, async () => {
      await page.getByTestId('processing').selectOption('auto')
    })
    await expect.poll(() => textOf('chip-processing')).toMatch(/processing: none\s*release/)
    await page.keyboard.press('Escape')
  })
})

describe('the wrong-tensor alarm', () => {
  test('is silent where SAEs sit where they belong; the published figures stand beside the measured ones', async () => {
    expect(await page.getByTestId('alarm-l0_15').count()).toBe(0)
    expect(await textOf('published-l0_15')).toMatch(/published\s*15\.25\s*88\.4%/)
    await page.getByTestId('sae-picker-l0_15').click()
    const measured = (await engineRun(['--sae', `l0_15=${demo.sae}`])).saes[0]?.byVariant.clean
    expect(Number(await textOf('measured-l0'))).toBeCloseTo(Number(measured?.l0), 1)
    expect(await textOf('published-l0')).toBe('15.25')
    expect(await textOf('published-explained-variance')).toBe('88.4%')
    await photograph(page, 'sae-picker')
  })

  test('is raised at another hook point, in the run and at the SAE', async () => {
    await afterRun(page, () => setField('sae-hook', 'blocks.2.hook_mlp_out'))
    await page.keyboard.press('Escape')
    expect(await textOf('alarm-l0_15')).toMatch(/may sit on another tensor than its own.*L0 is 4\.82, published 15\.3, 3\.17 times off/s)
    expect(await page.getByTestId('sae-alarm-l0_15').count()).toBe(1)
    expect(await page.getByTestId('alarm-l0_3').count()).toBe(0)
    await photograph(page, 'alarm')
  })

  test('its check tries neighbours and readings, and names the one that fits', async () => {
    await page.getByTestId('alarm-check-l0_15').click()
    await page.getByTestId('check-verdict').waitFor()
    expect(await page.getByTestId('check-verdict').getAttribute('data-kind')).toBe('other-fits')
    expect(await textOf('check-apply')).toBe('Apply: read blocks.2.hook_resid_post')
    const rows = await page.getByTestId('check-try').allTextContents()
    expect(rows.length).toBeGreaterThan(25)
    expect(rows[0]).toMatch(/^now\s*blocks\.2\.hook_mlp_out/)
    expect(rows.find(row => row.startsWith('→'))).toMatch(/blocks\.2\.hook_resid_post.*✓/s)
    await photograph(page, 'sae-check')
  })

  test('what fits is applied by one button, and the alarm is gone', async () => {
    await afterRun(page, () => page.getByTestId('check-apply').click())
    expect(await page.getByTestId('check-verdict').count()).toBe(0)
    expect(await page.getByTestId('alarm-l0_15').count()).toBe(0)
    const right = await engineRun(['--sae', `l0_15=${demo.sae}`, '--variant', 'alone=l0_15'])
    await expectStrip('strip-spliced: l0_15', numbersOf(right, 'alone'))
  })

  test('an SAE that sits well is said to, and the check takes longer text than the prompt', async () => {
    await runPrompt(page, 'Once upon a time')
    await page.getByTestId('sae-picker-l0_15').click()
    await page.getByTestId('sae-check').click()
    await page.getByTestId('check-own-text').click()
    await expect.poll(() => page.getByTestId('check-verdict').getAttribute('data-kind')).toBe('present-fits')
    expect(await page.getByTestId('check-apply').count()).toBe(0)
    await page.keyboard.press('Escape')
    await expect.poll(() => page.getByTestId('check-verdict').count()).toBe(0)
  })

  test('a hook point of another width is refused in its field, and nothing moves', async () => {
    await page.getByTestId('sae-picker-l0_15').click()
    await setField('sae-hook', 'blocks.2.mlp.hook_post')
    expect(await textOf('error-note')).toMatch(/reads 128 features, but blocks\.2\.mlp\.hook_post of demo has/)
    await page.getByTestId('error-note').getByText('Dismiss').click()
    await afterRun(page, () => setField('sae-hook', ''))
    expect(await page.getByTestId('sae-hook').inputValue()).toBe('blocks.2.hook_resid_post')
    await page.keyboard.press('Escape')
  })
})

describe('several SAEs', () => {
  async function add(path: string): Promise<void> {
    await page.getByTestId('add-sae').click()
    await afterRun(page, async () => {
      await page.getByTestId('path-field').fill(path)
      await page.getByTestId('path-field').press('Enter')
    })
  }

  test('at different hook points run alone and together, with and without error terms', async () => {
    await runPrompt(page, scratchpad)
    await add(earlySae)
    await add(mlpSae)
    const names = await page.locator('[data-testid^="sae-picker-"]').allTextContents()
    expect(names).toHaveLength(4)
    await page.getByTestId('variants').click()
    expect(await textOf('variant-rivals')).toContain('l0_15, l0_3')
    // The first of the two at blocks.2.hook_resid_post takes part, then the other.
    expect(await page.getByTestId('variant-joined-l0_3').inputValue()).toBe('left-out')
    await afterRun(page, () => page.getByTestId('variant-together').check())
    await afterRun(page, () => page.getByTestId('variant-together-error').check())
    await afterRun(page, async () => {
      await page.getByTestId('variant-joined-blocks_2_hook_mlp_out').selectOption('with-error')
    })
    await afterRun(page, () => page.getByTestId('variant-alone-l0_3').uncheck())
    await photograph(page, 'variants')
    await page.keyboard.press('Escape')

    const saes = [
      ...['--sae', `res2=${demo.sae}`, '--sae', `res1=${earlySae}`, '--sae', `mlp=${mlpSae}`, '--sae', `rough=${demo.roughSae}`],
      ...['--variant', 'joint=res2,res1,mlp+error', '--variant', 'error=res2+error,res1+error,mlp+error'],
      ...['--variant', 'rough=rough,res1,mlp+error']
    ]
    const engine = await engineRun(saes)
    await expectStrip('strip-clean', numbersOf(engine, 'clean'))
    await expectStrip('strip-together', numbersOf(engine, 'joint'))
    await expectStrip('strip-together+error', numbersOf(engine, 'error'))
    expect(largestDifference(numbersOf(engine, 'joint'), numbersOf(engine, 'error'))).toBeGreaterThan(0.01)
    expect(await page.getByTestId('strip-spliced: l0_3').count()).toBe(0)
    await photograph(page, 'together')

    await page.getByTestId('variants').click()
    await afterRun(page, async () => {
      await page.getByTestId('variant-joined-l0_3').selectOption('spliced')
    })
    expect(await page.getByTestId('variant-joined-l0_15').inputValue()).toBe('left-out')
    await page.keyboard.press('Escape')
    await expectStrip('strip-together', numbersOf(engine, 'rough'))
  })
})

describe('other models', () => {
  const golds = (path: string) => join(golden, 'saes', path)

  async function openPath(picker: 'model-picker' | 'add-sae', path: string): Promise<void> {
    await page.getByTestId(picker).click()
    await page.getByTestId('path-field').fill(path)
    await page.getByTestId('path-field').press('Enter')
    await page.getByTestId('path-field').waitFor({ state: 'detached' })
  }

  test('SAEs that want different processing are named on the chip, and a choice by hand settles it', async () => {
    const released = join(temporary, 'jbloom/GPT2-Small-SAEs-Reformatted/blocks.1.hook_resid_pre')
    cpSync(golds('gpt2-small-res-jb/blocks.1.hook_resid_pre'), released, { recursive: true })
    await openPath('model-picker', join(golden, 'models/gpt2-tiny'))
    await openPath('add-sae', released)
    await expect.poll(() => textOf('chip-processing')).toMatch(/processing: center_writing_weights\s*release/)
    await openPath('add-sae', golds('saelens6/standard_mlp_out'))
    await expect.poll(() => textOf('chip-processing')).toContain('SAEs disagree')
    await page.getByTestId('chip-processing').click()
    expect(await textOf('processing-why')).toMatch(/want different processing/)
    await photograph(page, 'processing-disagreement')
    await page.getByTestId('processing').selectOption('all')
    await expect.poll(() => textOf('chip-processing')).toMatch(/processing: all\s*by hand/)
    await page.getByTestId('processing').selectOption('auto')
    await page.keyboard.press('Escape')
  })

  test('a norm factor is given by hand, refused where it is none, and given back', async () => {
    await openPath('model-picker', join(golden, 'models/llama-tiny'))
    await openPath('add-sae', golds('fnlp/Llama3_1-8B-Base-LXR-8x/Llama3_1-8B-Base-L0R-8x'))
    await page.locator('[data-testid^="sae-picker-"]').last().click()
    const own = await page.getByTestId('sae-norm-factor').inputValue()
    expect(Number(own)).toBeCloseTo(0.19184, 4)
    await setField('sae-norm-factor', '-1')
    await page.getByText('“-1” is no norm factor').waitFor()
    await setField('sae-norm-factor', '0.5')
    await expect.poll(() => page.getByText('norm factor, by hand').count()).toBe(1)
    await setField('sae-norm-factor', '')
    await expect.poll(() => page.getByTestId('sae-norm-factor').inputValue()).toBe(own)
    await photograph(page, 'norm-factor')
    await page.keyboard.press('Escape')
  })
})
