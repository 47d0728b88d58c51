/** The Runs view and Export: what was run is found, shown again without its model, compared, and taken out as files. */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parse } from 'csv-parse/sync'
import type { Download, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchChromium, photograph } from '../chromium.ts'
import { demo, root, splice, temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, runPrompt, stripValues, type Workbench } from '../workbench.ts'

const wormhole = 'Would you be able to travel through time using a wormhole?'
const nasty = 'Once <b onclick="alert(1)">upon</b> a "time" & </style><script>alert(2)</script>'
const home = temporaryFolder()
const files = temporaryFolder()
let workbench: Workbench
let page: Page

beforeAll(async () => {
  workbench = await openWorkbench(home)
  page = workbench.page
  // Runs with explanations, whatever the demo's import was up to during the first one.
  await page.waitForFunction(() => /4,138 explanations/.test(document.querySelector('[data-testid="status-mirror"]')?.textContent ?? ''))
  await runPrompt(page, wormhole)
  await runPrompt(page, 'Would you be able to travel through space using a wormhole?')
  await runPrompt(page, nasty)
  await runPrompt(page, 'Once upon a time there was a young princess')
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

async function toRuns(): Promise<void> {
  await page.getByTestId('nav-runs').click()
  await page.getByTestId('runs-list').waitFor()
}

/** The ids listed, from the top. */
async function listed(): Promise<string[]> {
  return page
    .getByTestId('runs-list')
    .locator('[data-id]')
    .evaluateAll(rows => rows.map(row => row.getAttribute('data-id') ?? ''))
}

/** The id of the newest run with a prompt. */
async function idOf(prompt: string): Promise<string> {
  const row = page.getByTestId('runs-list').locator('[data-id]').filter({ hasText: prompt }).first()
  return (await row.getAttribute('data-id')) ?? ''
}

async function search(text: string, count: number): Promise<void> {
  await page.getByTestId('runs-search').fill(text)
  await expect.poll(async () => (await listed()).length).toBe(count)
}

async function exported(testid: string): Promise<{ name: string; text: string; path: string }> {
  if (!(await page.getByTestId('export-json').isVisible())) await page.getByTestId('export').click()
  const [download] = await Promise.all([page.waitForEvent('download') as Promise<Download>, page.getByTestId(testid).click()])
  const path = join(files, download.suggestedFilename())
  await download.saveAs(path)
  return { name: download.suggestedFilename(), text: readFileSync(path, 'utf8'), path }
}

describe('the list', () => {
  test('has every run, newest first, found by any word of it', async () => {
    await toRuns()
    expect((await listed()).length).toBe(5)
    await search('wormhole', 3)
    await search('WORM space', 1)
    await search('nothing like this', 0)
    await page.getByText('No run is like that.').waitFor()
    await page.getByRole('button', { name: 'Show all runs' }).click()
    await expect.poll(async () => (await listed()).length).toBe(5)
  })

  test('keeps names, tags, notes and pins', async () => {
    const id = await idOf(wormhole)
    await page.getByTestId(`run-${id}`).click()
    await page.locator(`[data-testid="run-panel"][data-id="${id}"]`).waitFor()
    await page.getByTestId('run-name').fill('The notebook')
    await page.getByTestId('run-tag').fill('paper')
    await page.getByTestId('run-tag').press('Enter')
    await page.getByTestId('run-panel').locator('.chip', { hasText: 'paper' }).waitFor()
    await page.getByTestId('run-notes').fill('Figure 3: the splice costs nothing here.')
    await page.getByTestId('run-pin').click()
    await expect.poll(async () => (await listed())[0]).toBe(id)
    await search('figure', 1)
    await search('', 5)
    await page.getByTestId('runs-tag').selectOption('paper')
    await expect.poll(listed).toEqual([id])
    await page.getByTestId('runs-tag').selectOption('')
    await expect.poll(async () => (await listed()).length).toBe(5)
    await photograph(page, 'runs')
  })

  test('is walked, opened and removed by keyboard, and removing is undone', async () => {
    const ids = await listed()
    await page.getByTestId(`run-${ids[1]}`).click()
    await page.keyboard.press('ArrowDown')
    await expect.poll(() => page.getByTestId('run-panel').getAttribute('data-id')).toBe(ids[2])
    await page.keyboard.press('Delete')
    await expect.poll(listed).toEqual(ids.filter(id => id !== ids[2]))
    await page.getByTestId('toast-action').click()
    await expect.poll(listed).toEqual(ids)
    await page.getByTestId(`run-${ids[1]}`).click()
    await page.keyboard.press('Enter')
    await expect.poll(() => page.getByTestId('reopened').getAttribute('data-id')).toBe(ids[1])
  })
})

describe('a run from the history', () => {
  test('is shown without inference, with the numbers that it had', async () => {
    await runPrompt(page, wormhole)
    const before = await stripValues(page, 'strip-spliced: l0_15', 'data-logprob')
    await runPrompt(page, 'Something else')
    await page.evaluate(() => performance.clearMarks('splice:run-start'))
    await toRuns()
    const id = await idOf('The notebook')
    await page.getByTestId(`run-${id}`).click()
    await page.getByTestId('run-open').click()
    await page.getByTestId('reopened').waitFor()
    expect(await stripValues(page, 'strip-spliced: l0_15', 'data-logprob')).toEqual(before)
    expect(await page.getByTestId('prompt').inputValue()).toBe(wormhole)
    expect(await page.evaluate(() => performance.getEntriesByName('splice:run-start').length)).toBe(0)
    await photograph(page, 'compare-reopened')
  })

  test('is what the next start shows, without running it', async () => {
    await page.reload()
    await page.getByTestId('summary').waitFor()
    expect(await page.getByTestId('reopened').textContent()).toContain('The notebook')
    expect(await page.evaluate(() => performance.getEntriesByName('splice:run-start').length)).toBe(0)
  })
})

describe('comparing', () => {
  test('shows what differs, token by token where they agree', async () => {
    await toRuns()
    const [one, two] = [await idOf('The notebook'), await idOf('through space')]
    await page.getByTestId(`pick-${one}`).check()
    await page.getByTestId(`pick-${two}`).check()
    await page.getByTestId('compare-picked').click()
    await page.getByTestId('token-differences').waitFor()
    const settings = await page.getByTestId('setting').locator('th').allTextContents()
    expect(settings.map(text => text.trim())).toEqual(['prompt'])
    expect(await page.getByTestId('shared-tokens').textContent()).toMatch(/13 of 14 tokens are in both/)
    expect(await page.getByTestId('difference-2').getAttribute('data-difference')).toBe('0')
    expect(await page.getByTestId('difference-8').getAttribute('data-difference')).toBe('')
    expect(Number(await page.getByTestId('difference-9').getAttribute('data-difference'))).not.toBe(0)
    await page.getByTestId('show-equal').click()
    expect(await page.getByTestId('setting').count()).toBeGreaterThan(8)
    await page.getByTestId('show-equal').click()
    await photograph(page, 'runs-compared')
  })

  test('of other SAEs and of a model with another tokenizer says what cannot be compared, and compares the rest', async () => {
    const gpt2 = join(root, 'fixtures/golden/models/gpt2-tiny')
    expect(await splice(['run', '--model', gpt2, '--ids', '1,2,3,4'], { home })).toMatchObject({ code: 0, stderr: '' })
    const args = ['--sae', `other=${demo.roughSae}`, '--prompt', 'Would you be able to']
    expect(await splice(['run', '--model', demo.model, ...args], { home })).toMatchObject({ code: 0 })
    await page.getByTestId('nav-compare').click()
    await toRuns()
    const { runs } = JSON.parse((await splice(['runs', '--json', '--limit', '3'], { home })).stdout)
    const [rough, foreign] = runs.filter((run: { pinned: boolean }) => !run.pinned).map((run: { id: string }) => run.id)
    await page.evaluate(() => window.dispatchEvent(new Event('focus')))
    await page.getByTestId(`run-${foreign}`).waitFor()
    const baseline = await idOf('The notebook')
    await page.goto(`${page.url().split('#')[0]}#/runs/compare?ids=${baseline},${rough},${foreign}`)
    expect(await page.getByTestId(`not-comparable-${foreign}`).textContent()).toMatch(
      /different tokenizers: token \d+ is|no token id in common/
    )
    expect(await page.getByTestId('token-differences').count()).toBe(1)
    const settings = await page.getByTestId('setting').locator('th').allTextContents()
    expect(settings.map(text => text.trim())).toEqual(expect.arrayContaining(['model', 'SAE', 'prompt', 'variant']))
    await page.goto(`${page.url().split('#')[0]}#/runs/compare?ids=${baseline},0000000000`)
    await page.getByText('no run "0000000000" is in the history').waitFor()
  })
})

describe('export', () => {
  test('gives the run as JSON and as tables with the numbers on the screen, also in exotic tokens', async () => {
    await page.getByTestId('nav-compare').click()
    await runPrompt(page, nasty)
    await page.getByTestId('export').click()
    await page.screenshot({ path: join(root, 'test-results', 'screenshots', 'export-menu.png') })
    const json = JSON.parse((await exported('export-json')).text)
    const spliced = json.result.variants[1]
    expect(spliced.logProbs).toEqual((await stripValues(page, `strip-${spliced.name}`, 'data-logprob')).slice(0, -1))
    expect(json.kept).toMatchObject({ prompt: nasty, version: '0.1.0' })
    const tokens = await exported('export-tokens.csv')
    expect(tokens.name).toMatch(/^splice-once-b-onclick-alert-1-upon-b-a-time-sty-tokens\.csv$/)
    const rows: string[][] = parse(tokens.text, { bom: false })
    expect(rows[0]?.slice(0, 6)).toEqual(['position', 'token_id', 'token', 'special', 'log_prob clean', 'rank clean'])
    expect(rows.slice(1, -1).map(row => row[2])).toEqual(json.result.tokens.map((token: { text: string }) => token.text))
    expect(rows.slice(2, -1).map(row => Number(row[4]))).toEqual(json.result.variants[0].logProbs.slice(1))
    const topK: string[][] = parse((await exported('export-top-k.csv')).text)
    expect(topK).toHaveLength(1 + 3 * json.result.tokens.length * 10)
    const features: string[][] = parse((await exported('export-features.csv')).text)
    expect(features[1]?.slice(0, 2)).toEqual(['l0_15', 'blocks.2.hook_resid_post'])
    expect((await exported('export-summary.csv')).text.split('\r\n')).toHaveLength(8)
  })

  test('gives pictures of the strips and the chart', async () => {
    const browser = await launchChromium()
    const reader = await browser.newPage()
    for (const kind of ['strips', 'log-prob']) {
      const png = await exported(`export-${kind}.png`)
      expect(readFileSync(png.path).subarray(1, 4).toString()).toBe('PNG')
      const svg = await exported(`export-${kind}.svg`)
      const problem = await reader.evaluate(text => {
        const parsed = new DOMParser().parseFromString(text, 'image/svg+xml')
        return parsed.querySelector('parsererror')?.textContent ?? null
      }, svg.text)
      expect(problem).toBeNull()
      mkdirSync(join(root, 'test-results', 'screenshots'), { recursive: true })
      copyFileSync(png.path, join(root, 'test-results', 'screenshots', `export-${kind}.png`))
    }
    await browser.close()
    expect((await exported('export-strips.svg')).text).toContain('&lt;')
  })

  test('gives scripts that Python reads, to copy and as files', async () => {
    for (const library of [2, 3]) {
      const { text, name } = await exported(`save-python-${library}`)
      expect(name).toMatch(new RegExp(`-tl${library}\\.py$`))
      expect(text).toContain(library === 2 ? 'transformer-lens==2.18.0' : 'transformer-lens==3.5.1')
      expect(text).toContain('load_gemma_scope(')
    }
    await page.keyboard.press('Escape')
  })

  test('a report opens from the disk without a network, with everything escaped', async () => {
    await page.getByTestId('nav-compare').click()
    await runPrompt(page, nasty)
    const report = await exported('export-html')
    expect(report.text).not.toMatch(/https?:\/\/(?!www\.w3\.org)/)
    expect(report.text).not.toContain('<script>')
    const browser = await launchChromium()
    try {
      const reader = await browser.newPage({ viewport: { width: 1280, height: 800 } })
      const asked: string[] = []
      reader.on('request', request => asked.push(request.url()))
      reader.on('dialog', () => asked.push('a dialog'))
      const problems: string[] = []
      reader.on('console', message => problems.push(message.text()))
      await reader.goto(pathToFileURL(report.path).href)
      expect(asked).toEqual([pathToFileURL(report.path).href])
      expect(problems).toEqual([])
      expect(await reader.locator('h1').textContent()).toContain('<b onclick=')
      expect(await reader.locator('b[onclick]').count()).toBe(0)
      mkdirSync(join(root, 'test-results', 'screenshots'), { recursive: true })
      for (const colorScheme of ['light', 'dark'] as const) {
        await reader.emulateMedia({ colorScheme })
        await reader.screenshot({ path: join(root, 'test-results', 'screenshots', `report-${colorScheme}.png`) })
      }
    } finally {
      await browser.close()
    }
  })
})

describe('clearing', () => {
  test('asks first, spares pinned runs, and leaves what is shown on the screen', async () => {
    await toRuns()
    await page.getByTestId('runs-clear').click()
    await page.getByText('This cannot be undone.').waitFor()
    await page.getByRole('button', { name: 'Keep them' }).click()
    expect((await listed()).length).toBeGreaterThan(3)
    await page.getByTestId('runs-clear').click()
    await page.getByTestId('clear-confirm').click()
    await expect.poll(async () => (await listed()).length).toBe(1)
    await page.getByTestId('runs-clear').click()
    await page.getByTestId('clear-pinned').check()
    await page.getByTestId('clear-confirm').click()
    await page.getByText('Every run is kept here').waitFor()
    await page.getByTestId('nav-compare').click()
    await page.getByTestId('summary').waitFor()
    await page.reload()
    // The run that was shown is gone: the prompt is run again.
    await page.getByTestId('summary').waitFor()
    expect(await page.getByTestId('reopened').count()).toBe(0)
    expect(workbench.problems).toEqual([])
  })
})
