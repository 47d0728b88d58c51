/**
 * Every view and dialog, with something in it and empty: axe-core finds nothing serious in either theme, everything is there at 1024x640,
 * and Tab reaches all of it with a focus that is seen.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { misfits } from '../accessibility/fit.ts'
import type { Grounds } from '../accessibility/states/steps.ts'
import { viewStates } from '../accessibility/states.ts'
import { walkByTab } from '../accessibility/tab-walk.ts'
import { seriousViolations } from '../accessibility/violations.ts'
import { root, temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, type Workbench } from '../workbench.ts'

const folder = temporaryFolder()
const pictures = join(root, 'test-results', 'screenshots', 'narrow')
const renderer = join(root, 'src/renderer')
const usual = { width: 1280, height: 800 }
const narrow = { width: 1024, height: 640 }
let workbench: Workbench
let page: Page
let grounds: Grounds

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true })
  workbench = await openWorkbench(temporaryFolder())
  page = workbench.page
  grounds = { folder, url: workbench.url }
  await page.waitForFunction(() => /4,138 explanations/.test(document.querySelector('[data-testid="status-mirror"]')?.textContent ?? ''))
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

/** Puts away what the state before left open. */
async function putAway(): Promise<void> {
  const open = page.locator('[role="dialog"], [role="menu"]')
  for (let tries = 0; tries < 4 && (await open.count()) > 0; tries++) {
    await page.keyboard.press('Escape')
    await page.waitForTimeout(50)
  }
  const toasts = page.getByTestId('toast')
  while ((await toasts.count()) > 0) await toasts.first().getByLabel('Dismiss').click()
}

async function settle(): Promise<void> {
  await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))))
}

describe('the table of states', () => {
  test('has every view of the window, every dialog and every popover', () => {
    const app = readFileSync(join(renderer, 'app.svelte'), 'utf8')
    const views = [...app.matchAll(/import\('\.\/([^']+\.svelte)'\)/g)].map(([, path]) => path ?? '')
    expect(views.length).toBeGreaterThan(8)
    const opened = readdirSync(renderer, { recursive: true, encoding: 'utf8' })
      .map(path => path.replaceAll('\\', '/'))
      .filter(path => path.endsWith('.svelte') && /<(Dialog|Popover)\s/.test(readFileSync(join(renderer, path), 'utf8')))
    const shown = new Set(viewStates.flatMap(({ shows }) => shows))
    expect(['views/compare/compare.svelte', ...views, ...opened].filter(path => !shown.has(path))).toEqual([])
    expect([...shown].filter(path => !existsSync(join(renderer, path)))).toEqual([])
  })
})

/** Reaches a state at 1024x640 and gives all that is wrong with it, by what finds it. */
async function problemsOf(name: string, reach: () => Promise<void>): Promise<Record<string, string[]>> {
  await putAway()
  await page.setViewportSize(narrow)
  await reach()
  const problems: Record<string, string[]> = {}
  const note = (kind: string, found: string[]) => {
    if (found.length > 0) problems[kind] = found
  }
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
    await settle()
    await page.screenshot({ path: join(pictures, `${name.replaceAll(/\W+/g, '-').toLowerCase()}-${colorScheme}.png`) })
  }
  note('1024x640', await misfits(page))
  await page.setViewportSize(usual)
  for (const colorScheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme })
    await settle()
    note(`axe-core, ${colorScheme}`, await seriousViolations(page))
  }
  note('Tab', await walkByTab(page))
  return problems
}

test.each(viewStates)('$name: accessible, all there, walked by keyboard', async ({ name, reach }) => {
  expect(await problemsOf(name, () => reach(page, grounds))).toEqual({})
})

test('Runs, empty: accessible, all there, walked by keyboard', async () => {
  await putAway()
  await page.goto(`${new URL(workbench.url).origin}/#/runs`)
  await page.getByTestId('runs-clear').click()
  await page.getByTestId('clear-confirm').click()
  await page.getByTestId('clear-confirm').waitFor({ state: 'detached' })
  expect(await problemsOf('Runs, empty', () => page.getByText('Every run is kept here').waitFor())).toEqual({})
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
