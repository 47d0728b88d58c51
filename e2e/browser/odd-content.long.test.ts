/** Content that breaks layouts: very long names, scripts from right to left, joined emoji, byte tokens, a thousand features. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { misfits } from '../accessibility/fit.ts'
import { spills } from '../accessibility/spills.ts'
import { photograph } from '../chromium.ts'
import { demo, splice, temporaryFolder } from '../command-line.ts'
import { afterRun, keepPictureOfFailures, openWorkbench, runPrompt, type Workbench } from '../workbench.ts'

const home = temporaryFolder()
const folder = temporaryFolder()
const longName = `research-${'checkpoint-of-a-long-experiment_'.repeat(6)}final`
const longWord = 'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft'.repeat(3)
const arabic = 'هل يمكنك السفر عبر الزمن؟'
const hebrew = 'האם תוכל לנסוע בזמן?'
const family = '👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301 👍🏽'
const prompt = `${arabic} (${hebrew}) ${family}\n\tＷｉｄｅ 時間\u200b旅行 ${longWord.slice(0, 90)}`
const source = 'demo-gemma2-tiny/2-demo-res-1k'
const narrow = { width: 1024, height: 640 }
const usual = { width: 1280, height: 800 }
let workbench: Workbench
let page: Page

beforeAll(async () => {
  const model = join(folder, longName)
  const sae = join(folder, 'demo-scope-res', 'layer_2', 'width_1k', `average_l0_15-${longName}`.slice(0, 220))
  cpSync(demo.model, model, { recursive: true })
  mkdirSync(sae, { recursive: true })
  cpSync(demo.sae, sae, { recursive: true })
  const texts = [
    `${hebrew} ${arabic}`,
    family,
    longWord,
    `${'an explanation that goes on and on, '.repeat(120)}at last`,
    '\u202eoverridden and not closed'
  ]
  const [modelId, layer] = source.split('/')
  const rows = Array.from({ length: 1024 }, (_, index) => ({
    modelId,
    layer,
    index: String(index),
    description: `${texts[index % texts.length]} (${index})`,
    explanationModelName: `explainer-${'long-'.repeat(20)}name`,
    typeName: 'own'
  }))
  const file = join(folder, `${longName}.json`)
  writeFileSync(file, JSON.stringify(rows))
  const lists = {
    format: 'splice-notebook',
    version: 1,
    lists: [
      {
        name: `${hebrew} ${family} ${'a long name of a list '.repeat(4)}`.slice(0, 118),
        features: rows.slice(0, 1000).map(({ index }) => ({ source, index: Number(index), addedAt: 1_700_000_000_000 }))
      }
    ],
    notes: [{ source, index: 3, text: `${arabic} ${longWord}`, changedAt: 1_700_000_000_000 }]
  }
  writeFileSync(join(folder, 'lists.json'), JSON.stringify(lists))
  workbench = await openWorkbench(home)
  page = workbench.page
  await page.waitForFunction(() => /4,138 explanations/.test(document.querySelector('[data-testid="status-mirror"]')?.textContent ?? ''))
  expect(await splice(['import', file, '--json'], { home })).toMatchObject({ code: 0 })
  for (const [picker, path] of [
    ['model-picker', model],
    ['add-sae', sae]
  ] as const) {
    await page.getByTestId(picker).click()
    await page.getByTestId('path-field').fill(path)
    await afterRun(page, () => page.getByTestId('path-field').press('Enter'))
  }
  await runPrompt(page, prompt)
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

/** Looks at the view as it is, wide and narrow. */
async function expectWhole(picture: string): Promise<void> {
  const problems: Record<string, string[]> = {}
  for (const size of [narrow, usual]) {
    await page.setViewportSize(size)
    await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))))
    const found = [...(await misfits(page)), ...(await spills(page))]
    if (found.length > 0) problems[`${size.width}x${size.height}`] = found
  }
  await photograph(page, `odd-${picture}`)
  expect(problems).toEqual({})
}

const go = (hash: string) => page.goto(`${new URL(workbench.url).origin}/#/${hash}`)

test('Compare keeps its strips aligned, and names inside their boxes', async () => {
  await page.getByTestId('strip-clean').locator('[data-position="3"]').click()
  await page.getByTestId('inspector').locator('.explanation').first().waitFor()
  await expectWhole('compare')
  await page.getByTestId('tab-table').click()
  await page.getByTestId('row-0').waitFor()
  await expectWhole('compare-table')
  await page.getByTestId('tab-overview').click()
})

test('every byte of the prompt is on screen, and the prompt is what was typed', async () => {
  expect(await page.getByTestId('prompt').inputValue()).toBe(prompt)
  const shown = await page.getByTestId('strip-clean').locator('[data-position]').allTextContents()
  expect(shown.filter(text => /^<0x[0-9A-F]{2}>$/.test(text)).length).toBeGreaterThan(20)
})

test('the pickers say whose they are', async () => {
  for (const picker of ['model-picker', 'sae-picker-l0_15', 'variants', 'reading']) {
    const button = page.locator(`[data-testid^="${picker}"]`).first()
    await button.click()
    await page.locator('.popover').waitFor()
    await expectWhole(picker)
    await page.keyboard.press('Escape')
    await page.locator('.popover').waitFor({ state: 'detached' })
  }
})

test('Features ranks them all with what they are said to mean', async () => {
  await go('features')
  await page.getByTestId('ranking').locator('[data-feature]').nth(2).click()
  await page.getByTestId('followed').waitFor()
  await expectWhole('features')
})

test('a list of a thousand features scrolls', async () => {
  await go('explanations/lists')
  await page.locator('input[type="file"]').setInputFiles(join(folder, 'lists.json'))
  await page.locator('[data-testid^="list-"]').filter({ hasText: '1,000' }).click()
  await page.getByTestId(`entry-${source}/3`).waitFor()
  await expectWhole('list')
})

test('Explanations finds and shows them', async () => {
  await go('explanations')
  await page.getByTestId('explanations-search').fill(hebrew)
  await page.getByTestId('hit-0').waitFor()
  await expectWhole('hits')
  await go('explanations/sources')
  await page.getByTestId(`source-${source}`).click()
  await page.getByTestId('overview-rows').waitFor()
  await expectWhole('sources')
})

test('a feature page holds them', async () => {
  for (const index of [0, 2, 3]) {
    await go(`feature/${source}/${index}`)
    await page.locator(`[data-testid="feature-page"][data-index="${index}"]`).waitFor()
    await expectWhole(`feature-${index}`)
  }
})

test('Test prompt and Generate take them', async () => {
  await go('test-prompt')
  await page.getByTestId('answer-0').fill(`${arabic} ${family}`)
  await page.getByTestId('answer-0').press('Enter')
  await page.getByTestId('answers').waitFor()
  await expectWhole('test-prompt')
  await go('generate')
  await page.getByTestId('setting-maxNewTokens').fill('20')
  await page.getByTestId('run').click()
  await expect
    .poll(async () => {
      const facts = await page.getByTestId('facts').allTextContents()
      return facts.length > 0 && facts.every(text => /ended its text|full length|context is full/.test(text))
    })
    .toBe(true)
  await expectWhole('generate')
})

test('Hooks, Runs and the Library name them', async () => {
  await go('hooks')
  await page.getByTestId('hook-hook_embed').waitFor()
  await expectWhole('hooks')
  await go('runs')
  const list = page.getByTestId('runs-list').locator('[data-id]')
  await list.first().click()
  await page.getByTestId('run-panel').waitFor()
  await expectWhole('runs')
  for (const row of [0, 1]) await list.nth(row).getByRole('checkbox').check()
  await page.getByTestId('compare-picked').click()
  await page.getByTestId('setting').first().waitFor()
  await expectWhole('runs-compared')
  await go('library')
  await page.getByTestId('library-folders').click()
  await page.getByTestId('folder-add').fill(folder)
  await page.getByTestId('folder-add').press('Enter')
  await page.keyboard.press('Escape')
  const model = page.locator(`[data-testid="disk-model"][data-path$="${longName}"]`)
  await model.click()
  await page.getByTestId('model-config').waitFor()
  await expectWhole('library')
})

test('a chat of them is run, and the history opens it as a chat', async () => {
  await go('compare')
  await page.locator('label', { has: page.getByTestId('mode-chat') }).click()
  await page.getByTestId('chat-message-0').locator('textarea').fill(hebrew)
  await page.getByTestId('chat-template').click()
  await page.getByTestId('template-source').fill("{{ bos_token }}{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}")
  await expect.poll(() => page.getByTestId('template-use').isEnabled()).toBe(true)
  await page.getByTestId('template-use').click()
  await afterRun(page, () => page.getByTestId('run').click())
  await page.locator('label', { has: page.getByTestId('mode-ids') }).click()
  await page.getByTestId('prompt-ids').fill('2, 106, 108')
  await afterRun(page, () => page.getByTestId('prompt-ids').press('Enter'))
  await page.locator('label', { has: page.getByTestId('mode-text') }).click()
  await runPrompt(page, 'Once upon a time')

  await go('runs')
  const list = page.getByTestId('runs-list').locator('[data-id]')
  await list.first().filter({ hasText: 'Once upon a time' }).waitFor()
  await list.nth(2).dblclick()
  await page.getByTestId('reopened').waitFor()
  await expect.poll(() => page.getByTestId('mode-chat').isChecked()).toBe(true)
  await expect.poll(() => page.getByTestId('chat-message-0').locator('textarea').inputValue()).toBe(hebrew)
  expect(await page.getByTestId('chat-template').textContent()).toContain('your own')
  await expectWhole('chat')
  await go('runs')
  await list.nth(1).dblclick()
  await expect.poll(() => page.getByTestId('mode-ids').isChecked()).toBe(true)
  expect(await page.getByTestId('prompt-ids').inputValue()).toBe('2, 106, 108')
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
