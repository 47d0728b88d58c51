/** Evaluating an open SAE on a file: the numbers are the command line's, progress can be cancelled, mistakes say what is wrong. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Download, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { evaluationResult } from '../../src/contract/evaluation.ts'
import { photograph } from '../chromium.ts'
import { demo, root, splice, temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, type Workbench } from '../workbench.ts'

const folder = temporaryFolder()
const report = JSON.parse(readFileSync(join(root, 'resources/demo/report.json'), 'utf8'))
/** The demo's own prompts, a few times over. */
const lines = Object.values<{ prompt: string }>(report.prompts).map(({ prompt }) => prompt)
const text = join(folder, 'corpus.txt')
const long = join(folder, 'long.txt')
const broken = join(folder, 'broken.json')
let workbench: Workbench
let page: Page

beforeAll(async () => {
  writeFileSync(text, `${[...lines, ...lines, ...lines].join('\n')}\n`)
  writeFileSync(long, `${Array.from({ length: 3000 }, (_, at) => lines[at % lines.length]).join('\n')}\n`)
  writeFileSync(broken, '[[2,999999]]')
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

const picker = () => page.locator('[data-testid^="sae-picker-"]').first()

async function openDialog(): Promise<void> {
  await picker().click()
  await page.getByTestId('sae-evaluate').click()
  await page.getByTestId('evaluation-file').waitFor()
}

const cells = (table: string) => page.getByTestId(`evaluation-${table}`).locator('td').allTextContents()

test('shows what splice eval prints, and copies it', async () => {
  await openDialog()
  await page.getByTestId('evaluation-file').fill(text)
  await page.getByTestId('evaluation-context').fill('64')
  await page.getByTestId('evaluation-start').click()
  await page.getByTestId('evaluation-result').waitFor()

  const args = ['--sae', demo.sae, '--text', text, '--context', '64', '--splice-positions', 'no-special', '--json']
  const { stdout } = await splice(['eval', '--model', demo.model, ...args], { home: folder })
  const expected = evaluationResult.parse(JSON.parse(stdout))
  const reconstruction = await cells('reconstruction')
  expect(reconstruction[0]).toBe(Number(expected.l0).toPrecision(4))
  expect(reconstruction[3]).toBe(Number(expected.explainedVariance).toPrecision(4))
  const losses = await cells('losses')
  expect(losses[0]).toBe(Number(expected.ceClean).toFixed(3))
  expect(losses[3]).toBe(Number(expected.ceSpliced).toFixed(3))
  expect(losses[6]).toBe(Number(expected.ceZeroAblated).toFixed(3))
  const saelens = await cells('saelens')
  expect(saelens).toHaveLength(34)
  expect(saelens[0]).toBe(Number(expected.saelens.all_tokens.kl_div_score).toPrecision(4))
  expect(saelens[1]).toBe(Number(expected.saelens.exclude_special_tokens.kl_div_score).toPrecision(4))

  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.getByTestId('evaluation-copy').click()
  const copied = await page.evaluate(() => navigator.clipboard.readText())
  expect(copied).toContain(`l0\ttextbook\tspecial tokens left out\t${expected.l0}\n`)
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('evaluation-json').click()])
  const { seconds: _, ...numbers } = evaluationResult.parse(JSON.parse(await contentOf(download)))
  expect(numbers).toMatchObject({ l0: expected.l0, ceSpliced: expected.ceSpliced, saelens: expected.saelens })
  await photograph(page, 'evaluation')
  await page.keyboard.press('Escape')
  await picker().click()
  const increase = Number(expected.ceSpliced) - Number(expected.ceClean)
  const line = `L0 ${Number(expected.l0).toPrecision(4)}, explained variance ${Number(expected.explainedVariance).toPrecision(4)}`
  await expect
    .poll(() => page.getByTestId('sae-evaluated').textContent())
    .toContain(`${line}, loss ${increase > 0 ? '+' : ''}${increase.toFixed(3)} on corpus.txt`)
  await photograph(page, 'evaluation-of-sae')
  await page.keyboard.press('Escape')
})

async function contentOf(download: Download): Promise<string> {
  return readFileSync(await download.path(), 'utf8')
}

test('says how far a long one is, goes on while it is closed, and stops at Cancel', async () => {
  await openDialog()
  await page.getByTestId('evaluation-file').fill(long)
  await page.getByTestId('evaluation-context').fill('')
  await page.getByTestId('evaluation-start').click()
  const progress = page.getByTestId('evaluation-progress')
  await expect.poll(() => progress.textContent()).toMatch(/[\d,]+ of about [\d,]+ tokens, [\d,]+ tokens\/s, \d+:\d\d left/)
  await photograph(page, 'evaluation-progress')
  await page.keyboard.press('Escape')
  await openDialog()
  await expect.poll(() => progress.textContent()).toContain('tokens/s')
  await page.getByTestId('evaluation-cancel').click()
  await page.getByTestId('evaluation-cancelled').waitFor()
  expect(await progress.count()).toBe(0)
})

test('is done by keyboard alone', async () => {
  await page.keyboard.press('Escape')
  const file = page.getByTestId('evaluation-file')
  await file.waitFor({ state: 'detached' })
  await picker().focus()
  await page.keyboard.press('Enter')
  await page.getByTestId('sae-evaluate').focus()
  await page.keyboard.press('Enter')
  const isTyping = () => expect.poll(() => file.evaluate(field => field === document.activeElement)).toBe(true)
  await file.waitFor()
  await isTyping()
  await page.keyboard.press('ControlOrMeta+A')
  await page.keyboard.type(text)
  await page.keyboard.press('Enter')
  await page.getByTestId('evaluation-result').waitFor()
  await isTyping()
  // A long one is cancelled from where the last one was begun.
  await page.keyboard.press('ControlOrMeta+A')
  await page.keyboard.type(long)
  await page.keyboard.press('Enter')
  const cancel = page.getByTestId('evaluation-cancel')
  await cancel.waitFor()
  for (let presses = 0; presses < 12 && !(await cancel.evaluate(button => button === document.activeElement)); presses++) {
    await page.keyboard.press('Tab')
  }
  await page.keyboard.press('Enter')
  await page.getByTestId('evaluation-cancelled').waitFor()
  await isTyping()
  // Ids are JSON; their mistakes name the place.
  await page.keyboard.press('ControlOrMeta+A')
  await page.keyboard.type(broken)
  await page.keyboard.press('Enter')
  await expect.poll(() => page.getByTestId('error-note').textContent()).toContain('token id 999999 in sequence 1')
  expect(await page.getByTestId('evaluation-result').count()).toBe(0)
  await photograph(page, 'evaluation-error')
  await page.keyboard.press('Escape')
  await file.waitFor({ state: 'detached' })
  await expect.poll(() => picker().evaluate(button => button === document.activeElement)).toBe(true)
})

test('a file that cannot be read is an error beside it; one is chosen in the folder dialog', async () => {
  await openDialog()
  await page.getByTestId('evaluation-file').fill(join(folder, 'gone.txt'))
  await page.getByTestId('evaluation-start').click()
  await expect.poll(() => page.getByTestId('error-note').textContent()).toContain('gone.txt does not exist')
  await page.getByTestId('evaluation-context').fill('1')
  expect(await page.getByTestId('evaluation-start').isDisabled()).toBe(true)
  await page.getByTestId('evaluation-context').fill('')

  await page.getByTestId('evaluation-choose').click()
  await page.getByTestId('folder-path').fill(folder)
  await page.getByTestId('folder-path').press('Enter')
  const entry = page.getByTestId('folder-entries').getByText('corpus.txt')
  await entry.waitFor()
  await entry.click()
  await page.getByTestId('folder-open').click()
  await expect.poll(() => page.getByTestId('evaluation-file').inputValue()).toBe(text)
  await page.getByTestId('evaluation-start').click()
  await page.getByTestId('evaluation-result').waitFor()
  expect(workbench.problems).toEqual([])
})
