/** Settings: each does what it says, now and after a restart; what the file has wrong is told and lost nowhere. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { photograph } from '../chromium.ts'
import { temporaryFolder } from '../command-line.ts'
import { afterRun, keepPictureOfFailures, openWorkbench, processShown, runPrompt, stripValues, type Workbench } from '../workbench.ts'

const home = temporaryFolder()
const hub = temporaryFolder()
const file = join(home, 'settings.json')
let workbench: Workbench
let page: Page

beforeAll(async () => {
  workbench = await openWorkbench(home, { HF_HUB_CACHE: hub, HF_TOKEN: 'hf_a_secret_of_mine' })
  page = workbench.page
  await page.getByTestId('nav-settings').click()
  await page.getByTestId('settings').waitFor()
  await page.getByTestId('settings-variables').waitFor()
})
beforeEach(() => show('settings'))
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

const kept = () => JSON.parse(readFileSync(file, 'utf8'))
const field = (name: string) => page.getByTestId(`field-${name}`)
const reset = (name: string) => page.getByTestId(`reset-${name}`)

async function show(view: string): Promise<void> {
  await page.evaluate(hash => {
    location.hash = hash
  }, `#/${view}`)
}

/** Whether the least probable token of the demo's run is filled more darkly than the most probable one. */
function isSurprisingDarker(): Promise<boolean> {
  return page
    .getByTestId('strip-clean')
    .locator('[data-logprob]')
    .evaluateAll(elements => {
      const cells = elements
        .map(cell => ({ cell, logProb: Number(cell.getAttribute('data-logprob') || 'NaN') }))
        .filter(({ logProb }) => !Number.isNaN(logProb))
        .sort((a, b) => a.logProb - b.logProb)
      const light = (cell: Element | undefined) => {
        const colors = cell === undefined ? null : /\d+, \d+, \d+/.exec(getComputedStyle(cell).backgroundColor)
        return (colors?.[0] ?? '').split(', ').reduce((sum, part) => sum + Number(part), 0)
      }
      return light(cells[0]?.cell) < light(cells.at(-1)?.cell)
    })
}

async function inCompare(look: () => Promise<void>): Promise<void> {
  await show('compare')
  await page.getByTestId('summary').waitFor()
  await look()
  await show('settings')
  await page.getByTestId('settings').waitFor()
}

describe('the view', () => {
  test('says of each setting what it does, its default and how to get back to it', async () => {
    const rows = await page.locator('[data-testid="settings"] [role="group"]').evaluateAll(groups =>
      groups.map(group => ({
        name: group.getAttribute('aria-label') ?? '',
        words: group.querySelector('p')?.textContent?.trim() ?? '',
        isChoice: group.querySelector('select, input[type="text"].mono:not([placeholder])') !== null,
        standard: group.textContent?.includes('default:') === true
      }))
    )
    expect(rows.length).toBeGreaterThan(15)
    for (const { name, words, isChoice, standard } of rows) {
      expect(`${name}: ${words.length > 20}`).toBe(`${name}: true`)
      if (isChoice) expect(`${name}: ${standard}`).toBe(`${name}: true`)
    }
    await photograph(page, 'settings')
  })

  test('shows the variables of the environment that decide something, and no secret', async () => {
    const text = (await page.getByTestId('settings-variables').textContent()) ?? ''
    expect(text).toContain('HF_HUB_CACHE')
    expect(text).toContain(hub)
    expect(text).toContain('HF_TOKEN')
    expect(await page.getByTestId('settings').textContent()).not.toContain('hf_a_secret_of_mine')
    expect(await page.getByTestId('setting-downloads').textContent()).toContain(hub)
  })
})

describe('the look', () => {
  test('is the theme that is chosen, at once, and after a reload before anything else', async () => {
    await field('theme').selectOption('dark')
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark')
    await expect.poll(kept).toMatchObject({ theme: 'dark' })
    await page.reload()
    await page.getByTestId('settings').waitFor()
    await expect.poll(() => page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark')
    await reset('theme').click()
    await expect.poll(() => page.evaluate(() => document.documentElement.dataset.theme)).toBe('light')
    expect(await reset('theme').count()).toBe(0)
  })

  test('turns the colours of log-probs round', async () => {
    await field('logProbScale').selectOption('certainty')
    await inCompare(async () => expect(await isSurprisingDarker()).toBe(false))
    await reset('logProbScale').click()
    await inCompare(async () => expect(await isSurprisingDarker()).toBe(true))
  })
})

describe('defaults', () => {
  test('of numbers refuse what they may not be, and say so at the field', async () => {
    await field('topK').fill('0')
    expect(await page.getByTestId('setting-topK').getByRole('alert').textContent()).toBe(
      'has to be a whole number from 1 to 1000; 10 is in force'
    )
    await field('topK').press('Enter')
    expect(kept().topK).toBeUndefined()
    await field('topK').press('Escape')
    expect(await field('topK').inputValue()).toBe('10')
  })

  test('of a run hold for the next one: predictions, features, positions of metrics, processing', async () => {
    await field('topK').fill('4')
    await field('topK').press('Enter')
    await field('topFeatures').fill('3')
    await field('topFeatures').press('Enter')
    await field('metricPositions').selectOption('all')
    await field('processing').selectOption('all')
    await inCompare(async () => {
      await runPrompt(page, 'Once upon a time there was')
      expect(await page.getByTestId('metric-positions').count()).toBe(0)
      expect(await page.getByTestId('chip-processing').textContent()).toContain('processing: all')
    })
    await show('runs')
    await page.getByTestId('run-panel').waitFor()
    const id = (await page.getByTestId('run-panel').getAttribute('data-id')) ?? ''
    const answer = await page.evaluate(async run => {
      const response = await fetch('/api/history/open', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ id: run })
      })
      return response.json()
    }, id)
    expect(answer.request).toMatchObject({ topK: 4, topFeatures: 3, metricPositions: 'all', processing: 'all' })
    await show('settings')
    for (const name of ['topK', 'topFeatures', 'metricPositions', 'processing']) await reset(name).click()
    await inCompare(async () => {
      expect(await page.getByTestId('chip-processing').textContent()).not.toContain('by hand')
    })
  })

  test('of Generate stand in its fields, unless something else was typed there', async () => {
    await show('generate')
    await page.getByTestId('setting-temperature').fill('0.5')
    await show('settings')
    await field('maxNewTokens').fill('7')
    await field('maxNewTokens').press('Enter')
    await field('temperature').fill('0')
    await field('temperature').press('Enter')
    await show('generate')
    expect(await page.getByTestId('setting-maxNewTokens').inputValue()).toBe('7')
    expect(await page.getByTestId('setting-temperature').inputValue()).toBe('0.5')
    await show('settings')
    await reset('maxNewTokens').click()
    await reset('temperature').click()
  })
})

describe('inference', () => {
  const mostly = (values: readonly (number | null)[]) => values.filter(value => value !== null)

  test('runs with as many threads as are chosen, after a new start of its process, and says so', async () => {
    const before = await processShown(page, 'status-inference')
    expect(await page.getByTestId('status-provider').textContent()).toContain(`up to ${availableParallelism()} `)
    await field('threads').selectOption('1')
    await expect.poll(() => page.getByTestId('status-provider').textContent()).toMatch(/cpu, 1 thread\s*$/)
    expect(await processShown(page, 'status-inference')).not.toBe(before)
    await inCompare(async () => {
      await runPrompt(page, 'Would you be able to travel through time using a wormhole?')
      expect(mostly(await stripValues(page, 'strip-clean', 'data-logprob')).length).toBeGreaterThanOrEqual(13)
    })
    await reset('threads').click()
    await expect.poll(() => page.getByTestId('status-provider').textContent()).toContain('up to')
  })

  test('falls back to the CPU where a provider does not start, says why, and runs', async () => {
    const chosen = 'webgpu'
    await field('provider').selectOption(chosen)
    const inForce = page.getByTestId('provider-in-force')
    await expect
      .poll(() => inForce.textContent())
      .toMatch(new RegExp(`In force: (cpu; ${chosen} is chosen, but the CPU runs: .+|${chosen};.*)`))
    if ((await inForce.textContent())?.includes('In force: cpu')) {
      expect(await page.getByTestId('status-provider').textContent()).toContain('cpu instead')
      expect(await page.getByTestId('status-provider').getAttribute('title')).toContain(`${chosen} is chosen, but the CPU runs`)
    }
    await photograph(page, 'settings-provider')
    await inCompare(() => runPrompt(page, 'The capital of France is'))
    await reset('provider').click()
    await expect.poll(() => page.getByTestId('status-provider').textContent()).not.toContain('instead')
  })

  test('tries every provider when it is asked to, and says what each is missing', async () => {
    await page.getByTestId('doctor-look').click()
    const row = (provider: string) => page.getByTestId(`doctor-${provider}`)
    await row('cpu').waitFor({ timeout: 60_000 })
    expect(await row('cpu').getAttribute('data-state')).toBe('works')
    const [, works, rate] = await row('cpu').locator('td').allTextContents()
    expect([works, Number(rate) > 0]).toEqual(['works', true])
    for (const provider of ['webgpu', 'cuda', 'directml', 'coreml']) {
      const state = await row(provider).getAttribute('data-state')
      if (state !== 'works') expect((await row(provider).locator('td').last().textContent())?.trim(), provider).not.toBe('')
    }
    await page.getByTestId('setting-doctor').scrollIntoViewIfNeeded()
    await photograph(page, 'settings-doctor')
  })

  test('keeps the precision for GPUs, which the CPU does not take', async () => {
    await field('precision').selectOption('fp16')
    await expect.poll(() => page.getByTestId('provider-in-force').textContent()).toContain('float16 is for GPUs, so it is in float32')
    expect(kept().precision).toBe('fp16')
    await inCompare(() => runPrompt(page, 'The capital of France is'))
    await reset('precision').click()
    await expect.poll(() => page.getByTestId('provider-in-force').textContent()).not.toContain('float16')
  })

  test('never has more threads than the machine: a file that says more is told', async () => {
    const problem = await page.evaluate(async threads => {
      const response = await fetch('/api/engine/changeSettings', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ threads })
      })
      return { status: response.status, ...(await response.json()) }
    }, availableParallelism() + 1)
    expect(problem).toMatchObject({ status: 422, data: { kind: 'settings/threads', field: 'threads' } })
  })
})

describe('the status bar', () => {
  const bar = (part: string) => page.getByTestId(`status-${part}`)

  test.skipIf(process.platform !== 'linux')('shows the memory that the inference process has, before and after it worked', async () => {
    const resident = async () => Number(await bar('memory').getAttribute('data-resident'))
    const measured = async () => {
      const status = readFileSync(`/proc/${await processShown(page, 'status-inference')}/status`, 'utf8')
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024
    }
    const isTrue = async () => Math.abs((await resident()) / (await measured()) - 1) < 0.1
    await inCompare(() => runPrompt(page, 'The capital of Italy is Rome'))
    await expect.poll(isTrue).toBe(true)
    const [before, processBefore] = [await resident(), await processShown(page, 'status-inference')]
    await field('threads').selectOption('1')
    await expect.poll(() => processShown(page, 'status-inference')).not.toBe(processBefore)
    await expect.poll(isTrue).toBe(true)
    expect(await resident()).toBeLessThan(before)
    expect(await bar('memory').getAttribute('data-mapped')).toBe('0')
    await inCompare(() => runPrompt(page, 'The capital of France is Paris'))
    await expect.poll(isTrue).toBe(true)
    expect(Number(await bar('memory').getAttribute('data-mapped'))).toBeGreaterThan(2e6)
    await reset('threads').click()
  })

  test('leads to what it shows', async () => {
    await bar('mirror').click()
    await page.getByTestId('sources').waitFor()
    await bar('provider').click()
    await page.getByTestId('settings').waitFor()
  })
})

describe('folders and cache', () => {
  test('a folder that is added is looked through, and one that is reset away is not', async () => {
    const folder = join(home, 'some-folder')
    mkdirSync(folder)
    await page.getByTestId('setting-library').getByTestId('folder-add').fill(folder)
    await page.getByTestId('setting-library').getByRole('button', { name: 'Add', exact: true }).click()
    await expect.poll(() => page.getByTestId('setting-library').textContent()).toContain(folder)
    expect(kept().library.folders).toEqual([folder])
    await reset('library').click()
    await expect.poll(() => kept().library.folders).toEqual([])
  })

  test('the cache shows its size, asks once, and is empty then; runs go on', async () => {
    mkdirSync(join(home, 'cache', 'held-files'), { recursive: true })
    writeFileSync(join(home, 'cache', 'some-weights.bin'), new Uint8Array(2_500_000))
    writeFileSync(join(home, 'cache', 'held-files', 'other.bin'), 'stays')
    await show('compare')
    await show('settings')
    await expect.poll(() => page.getByTestId('cache-size').textContent()).toBe('2.5 MB in 1 file')
    await page.getByTestId('clear-cache').click()
    expect(existsSync(join(home, 'cache', 'some-weights.bin'))).toBe(true)
    await page.getByTestId('clear-cache-sure').click()
    await expect.poll(() => page.getByTestId('cache-size').textContent()).toBe('empty')
    expect(existsSync(join(home, 'cache', 'some-weights.bin'))).toBe(false)
    expect(existsSync(join(home, 'cache', 'held-files', 'other.bin'))).toBe(true)
    await inCompare(() => afterRun(page, () => page.getByTestId('prompt').press('Enter')))
  })
})

test('Reset all gives every setting its default, and can be undone', async () => {
  await field('theme').selectOption('dark')
  await field('topK').fill('6')
  await field('topK').press('Enter')
  await expect.poll(() => kept().topK).toBe(6)
  await page.getByTestId('reset-all').click()
  await expect.poll(() => kept()).toMatchObject({ theme: 'system', topK: 10 })
  await page.getByTestId('toast-action').click()
  await expect.poll(() => kept()).toMatchObject({ theme: 'dark', topK: 6 })
  await page.getByTestId('reset-all').click()
  await expect.poll(() => kept().topK).toBe(10)
})

describe('a file with bad values', () => {
  const wrong = { theme: 'dark', topK: 'many', tourSeen: true, ofTomorrow: 1 }

  afterEach(async () => {
    writeFileSync(file, JSON.stringify({ tourSeen: true }))
    await page.reload()
    await page.getByTestId('settings').waitFor()
  })

  test('has the good ones in force and tells the bad ones, which stay until they are mended', async () => {
    writeFileSync(file, JSON.stringify(wrong))
    await page.reload()
    await page.getByTestId('toast').filter({ hasText: 'A setting is not in force.' }).waitFor()
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark')
    expect(await page.getByTestId('setting-problems').textContent()).toContain('topK')
    expect(await field('topK').inputValue()).toBe('10')
    await photograph(page, 'settings-problems')
    expect(kept()).toEqual(wrong)
    await page.getByTestId('mend-topK').click()
    await expect.poll(() => page.getByTestId('setting-problems').count()).toBe(0)
    expect(kept()).toEqual({ ...wrong, topK: 10 })
    expect(JSON.parse(readFileSync(`${file}.corrupt`, 'utf8'))).toEqual(wrong)
  })

  test('that is no JSON has all defaults, and is kept when it is written anew', async () => {
    writeFileSync(file, '{"theme": ')
    await page.reload()
    await page.getByTestId('setting-problems').waitFor()
    await page.waitForTimeout(500)
    expect(readFileSync(file, 'utf8')).toBe('{"theme": ')
    await page.getByTestId('mend-file').click()
    await expect.poll(() => page.getByTestId('setting-problems').count()).toBe(0)
    expect(readFileSync(`${file}.corrupt-1`, 'utf8')).toBe('{"theme": ')
  })
})

test('the page logged no errors but the one that was asked for', () => {
  expect(workbench.problems.filter(problem => !problem.includes('status of 422'))).toEqual([])
})
