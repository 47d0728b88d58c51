/** Generate: continuations side by side while they are written; stopped, looked into, taken to Compare; what goes wrong. */
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { photograph } from '../chromium.ts'
import { demo, root, splice, temporaryFolder } from '../command-line.ts'
import { golden } from '../golden.ts'
import { afterRun, keepPictureOfFailures, openWorkbench, processShown, stripValues, type Workbench } from '../workbench.ts'

let workbench: Workbench
let page: Page

const setting = (name: string, value: string) => page.getByTestId(`setting-${name}`).fill(value)
const continuation = (variant: string, sample = 0) => page.getByTestId(`continuation-${variant}-${sample}`)

/** The tokens of a continuation, as the screen holds them. */
function tokensOf(variant: string, sample = 0): Promise<{ id: number; logProb: number }[]> {
  return continuation(variant, sample)
    .locator('[data-step]')
    .evaluateAll(all =>
      all.map(token => ({ id: Number(token.getAttribute('data-id')), logProb: Number(token.getAttribute('data-logprob')) }))
    )
}

/** Starts and waits until every continuation has ended. */
async function generate(): Promise<void> {
  await page.getByTestId('run').click()
  await expect
    .poll(async () => {
      const facts = await page.getByTestId('facts').allTextContents()
      return facts.length > 0 && facts.every(text => /ended its text|full length|context is full/.test(text))
    })
    .toBe(true)
  await page.getByTestId('run').waitFor()
}

beforeAll(async () => {
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  await page.getByTestId('nav-generate').click()
  await page.getByTestId('setting-temperature').waitFor()
  await page.getByTestId('prompt').fill('Once upon a time')
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

describe('on the demo', () => {
  test('an empty view says what belongs there', async () => {
    expect(await page.getByTestId('empty-note').textContent()).toContain('Every variant goes on')
    await photograph(page, 'generate-empty')
  })

  test('every variant goes on with the tokens and log-probs of the command line', async () => {
    await setting('seed', '3')
    await setting('maxNewTokens', '60')
    await generate()
    const schema = z.object({
      variants: z.array(z.object({ name: z.string(), tokens: z.array(z.object({ id: z.int(), logProb: z.number() })) }))
    })
    const saes = ['--sae', `l0_15=${demo.sae}`, '--sae', `l0_3=${demo.roughSae}`, '--variant', 'l0_15=l0_15', '--variant', 'l0_3=l0_3']
    const { stdout, stderr } = await splice(
      [
        'generate',
        '--model',
        demo.model,
        ...saes,
        '--splice-positions',
        'no-special',
        '--prompt',
        'Once upon a time',
        '--seed',
        '3',
        '--max-new-tokens',
        '60',
        '--json'
      ],
      { home: temporaryFolder() }
    )
    expect(stderr).toBe('')
    for (const { name, tokens } of schema.parse(JSON.parse(stdout)).variants) {
      const shown = await tokensOf(name === 'clean' ? 'clean' : `spliced: ${name}`)
      expect(shown.map(({ id }) => id)).toEqual(tokens.map(({ id }) => id))
      for (const [step, { logProb }] of tokens.entries())
        expect(Math.abs((shown[step]?.logProb ?? Number.NaN) - logProb)).toBeLessThan(1e-4)
    }
    await photograph(page, 'generate')
  })

  test('where a variant parts from clean is marked', async () => {
    const [clean, spliced] = [await tokensOf('clean'), await tokensOf('spliced: l0_3')]
    const parts = clean.findIndex(({ id }, step) => spliced[step]?.id !== id)
    const marked = continuation('spliced: l0_3').locator('.token.parts')
    expect(await marked.getAttribute('data-step')).toBe(String(parts))
    expect(await marked.getAttribute('aria-label')).toContain('parts from clean here')
    expect(await continuation('spliced: l0_3').getByTestId('facts').textContent()).toContain(`parts at token ${parts + 1}`)
  })

  test('a token is looked into by keyboard: its numbers, what else was predicted, its features', async () => {
    await continuation('clean').locator('[data-step="0"]').click()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowRight')
    const inspector = page.getByTestId('generated-inspector')
    expect(await inspector.getAttribute('data-step')).toBe('2')
    const [, , third] = await tokensOf('spliced: l0_15')
    expect(Number(await inspector.getByTestId('logprob-spliced: l0_15').getAttribute('data-value'))).toBe(third?.logProb)
    expect(await inspector.getByTestId('top-clean-0').count()).toBe(1)
    await expect.poll(() => page.getByTestId('generated-features').locator('[data-testid^="feature-l0_15-"]').count()).toBeGreaterThan(0)
    expect(await page.getByTestId('generated-features').locator('.explanation').count()).toBeGreaterThan(0)
    await expect.poll(() => page.url()).toContain('step=2')
    await photograph(page, 'generate-token')
    await continuation('clean').locator('[data-step="4"]').hover()
    expect(await page.getByTestId('tooltip').textContent()).toContain('log-prob')
  })

  test('a continuation is a run in Compare by one click, with the same log-probs', async () => {
    const before = await tokensOf('clean')
    await afterRun(page, () => continuation('clean').getByTestId('to-compare').click())
    const logProbs = (await stripValues(page, 'strip-clean', 'data-logprob')).slice(0, -1).slice(-before.length)
    for (const [step, { logProb }] of before.entries()) expect(Math.abs((logProbs[step] ?? Number.NaN) - logProb)).toBeLessThan(1e-4)
    await page.goBack()
    await expect.poll(() => tokensOf('clean')).toEqual(before)
    await page.getByTestId('mode-text').check({ force: true })
    expect(await page.getByTestId('prompt').inputValue()).toBe('Once upon a time')
  })

  test('the numbers are in a table, and are copied with their full values', async () => {
    await page.getByTestId('tab-table').click()
    await page.getByTestId('generated-table').waitFor()
    const tokens = await tokensOf('clean').catch(() => [])
    expect(tokens).toEqual([])
    const first = await page
      .getByTestId('generated-table')
      .locator('tbody tr')
      .first()
      .locator('td.number')
      .first()
      .getAttribute('data-value')
    await photograph(page, 'generate-table')
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await page.getByTestId('copy-generated').click()
    const copied = await page.evaluate(() => navigator.clipboard.readText())
    expect(copied.split('\n')[1]?.split('\t')[5]).toBe(first)
    const ranks = () =>
      page
        .getByTestId('generated-table')
        .locator('tbody tr > :nth-child(4)')
        .evaluateAll(cells =>
          cells
            .map(cell => cell.textContent ?? '')
            .filter(text => text !== '')
            .map(Number)
        )
    const inOrder = await ranks()
    await page.getByTestId('generated-table').getByRole('button', { name: 'rank' }).first().click()
    expect(await ranks()).toEqual([...inOrder].sort((a, b) => a - b))
    await page.getByTestId('generated-table').getByRole('button', { name: 'step' }).click()
    expect(await ranks()).toEqual(inOrder)
    await page.getByTestId('tab-text').click()
  })

  test('the continuations are saved as pictures, with every token', async () => {
    const [png] = await Promise.all([page.waitForEvent('download'), page.getByTestId('generated-png').click()])
    expect(png.suggestedFilename()).toBe('splice-continuations.png')
    expect(
      readFileSync(await png.path())
        .subarray(1, 4)
        .toString()
    ).toBe('PNG')
    copyFileSync(await png.path(), join(root, 'test-results', 'screenshots', 'generated-picture.png'))
    const [svg] = await Promise.all([page.waitForEvent('download'), page.getByTestId('generated-svg').click()])
    const text = readFileSync(await svg.path(), 'utf8')
    const drawn = await page.evaluate(source => {
      const parsed = new DOMParser().parseFromString(source, 'image/svg+xml')
      return parsed.querySelector('parsererror') === null ? [...parsed.querySelectorAll('text')].map(each => each.textContent) : null
    }, text)
    const words = await page.locator('[data-testid^="continuation-"] [data-step]').allTextContents()
    expect(drawn?.filter(each => words.includes(each ?? ''))).toHaveLength(words.length)
  })

  test('samples stand below each other, and the same seed writes the same texts', async () => {
    await setting('samples', '3')
    await setting('maxNewTokens', '24')
    await setting('temperature', '0.8')
    await setting('topK', '40')
    await generate()
    const first = await tokensOf('clean', 2)
    expect(first).not.toEqual(await tokensOf('clean', 1))
    await photograph(page, 'generate-samples')
    await generate()
    expect(await tokensOf('clean', 2)).toEqual(first)
    const seed = await page.getByTestId('setting-seed').inputValue()
    await page.getByTestId('new-seed').click()
    expect(await page.getByTestId('setting-seed').inputValue()).not.toBe(seed)
    await generate()
    expect(await tokensOf('clean', 2)).not.toEqual(first)
  })

  test('settings that cannot be are named, and nothing starts', async () => {
    await setting('topP', '1.5')
    await setting('samples', 'many')
    expect(await page.getByTestId('mistake-topP').textContent()).toContain('top-p has to be a number, above 0, at most 1')
    expect(await page.getByTestId('mistake-samples').textContent()).toContain('a whole number, 1 to 64')
    expect(await page.getByTestId('run').isDisabled()).toBe(true)
    await photograph(page, 'generate-mistakes')
    await setting('topP', '')
    await setting('topK', '')
    await setting('samples', '1')
  })
})

describe('a long one', () => {
  /** As long as the demo's context lets it be, and many at once. */
  async function beginLong(): Promise<void> {
    await setting('maxNewTokens', '450')
    await setting('samples', '8')
    await page.getByTestId('stop-at-eos').uncheck()
    await page.getByTestId('run').click()
    await expect.poll(async () => (await tokensOf('clean')).length).toBeGreaterThan(3)
  }

  test('streams, is stopped at any time, and keeps what is there', async () => {
    await beginLong()
    expect(await page.getByTestId('run-progress').textContent()).toMatch(/token \d+/)
    await page.getByTestId('cancel').click()
    await page.getByTestId('cancelled').getByText('Stopped; what is written stays').waitFor()
    const written = await tokensOf('clean')
    expect(written.length).toBeGreaterThan(3)
    expect(written.length).toBeLessThan(450)
    expect(await continuation('clean').getByTestId('facts').textContent()).toContain('stopped')
    // It stays so, and can be taken to Compare though the engine never told its prompt.
    await afterRun(page, () => continuation('clean').getByTestId('to-compare').click())
    await page.goBack()
    await expect.poll(() => tokensOf('clean')).toEqual(written)
    await page.getByTestId('mode-text').check({ force: true })
  })

  test('whose process is killed says so, keeps what is there, and the next one works', async () => {
    await beginLong()
    const working = await processShown(page, 'status-inference')
    // The picture takes a while; the process waits for it.
    process.kill(working, 'SIGSTOP')
    await photograph(page, 'generate-streaming')
    process.kill(working, 'SIGKILL')
    await page.getByTestId('error-note').waitFor()
    expect((await tokensOf('clean')).length).toBeGreaterThan(3)
    expect(await page.getByTestId('earlier-shown').textContent()).toContain('what is written stays')
    await photograph(page, 'generate-died')
    await setting('maxNewTokens', '6')
    await setting('samples', '1')
    await generate()
    expect(await page.getByTestId('error-note').count()).toBe(0)
    expect(await tokensOf('clean')).toHaveLength(6)
  })

  test('a prompt that fills the context is refused with its length', async () => {
    await page.getByTestId('mode-ids').check({ force: true })
    await page.getByTestId('prompt-ids').fill(Array.from({ length: 512 }, () => 5).join(' '))
    await page.getByTestId('run').click()
    await expect
      .poll(() => page.getByTestId('error-note').textContent())
      .toContain("the prompt has 512 tokens, and demo's context of 512 is full")
  })
})

test("temperature 0 writes the peers' continuation", async () => {
  const recorded = z
    .object({ ids: z.array(z.int()), variants: z.object({ processed: z.object({ greedy_new_tokens: z.array(z.int()) }) }) })
    .parse(JSON.parse(readFileSync(join(golden, 'runs/llama-tiny/p0.json'), 'utf8')))
  const greedy = recorded.variants.processed.greedy_new_tokens
  await page.getByTestId('model-picker').click()
  await page.getByTestId('path-field').fill(join(golden, 'models/llama-tiny'))
  await page.getByTestId('path-field').press('Enter')
  await page.getByTestId('path-field').waitFor({ state: 'detached' })
  await expect.poll(() => page.getByTestId('model-picker').textContent()).toContain('llama-tiny')
  await page.getByTestId('prompt-ids').fill(recorded.ids.join(', '))
  await setting('temperature', '0')
  await setting('maxNewTokens', String(greedy.length))
  await generate()
  expect((await tokensOf('clean')).map(({ id }) => id)).toEqual(greedy)
  expect(workbench.problems).toEqual([])
})
