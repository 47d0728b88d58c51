/** The shell: palette, shortcuts, menus, About, back and forward, undo. */
import { readFileSync } from 'node:fs'
import type { Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { actionWords } from '../../src/contract/actions.ts'
import { photograph } from '../chromium.ts'
import { temporaryFolder } from '../command-line.ts'
import { afterRun, keepPictureOfFailures, openWorkbench, runPrompt, startRun, type Workbench } from '../workbench.ts'

const home = temporaryFolder()
let workbench: Workbench
let page: Page
let query: Locator
let items: Locator

beforeAll(async () => {
  workbench = await openWorkbench(home)
  page = workbench.page
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  query = page.getByTestId('palette-query')
  items = page.getByTestId('palette-item')
  await page.waitForFunction(() => /4,138 explanations/.test(document.querySelector('[data-testid="status-mirror"]')?.textContent ?? ''))
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)
/** What a test that failed left open stays out of the way of the next one. */
afterEach(async () => {
  if ((await page.locator('[role="dialog"]').count()) > 0) await page.keyboard.press('Escape')
})

const hash = () => page.evaluate(() => location.hash)
const item = (key: string) => page.locator(`[data-testid="palette-item"][data-key="${key}"]`)
const theme = () => page.locator('html').getAttribute('data-theme')

/** Opens the palette and types. */
async function ask(text: string): Promise<void> {
  await page.keyboard.press('Control+k')
  await query.fill(text)
}

/** The key of the line that Enter would choose. */
async function active(): Promise<string | null> {
  const id = await query.getAttribute('aria-activedescendant')
  return id === null ? null : page.locator(`[id="${id}"]`).getAttribute('data-key')
}

async function palettedAway(): Promise<void> {
  await page.getByTestId('palette').waitFor({ state: 'detached' })
}

/** Lets go of whatever has the focus. */
async function blur(): Promise<void> {
  await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur())
}

describe('the palette', () => {
  test('opens by its keys, also from a text field, and by the box at the top; Esc closes it and gives the focus back', async () => {
    await page.getByTestId('prompt').focus()
    await page.keyboard.press('Control+k')
    await query.waitFor()
    await expect.poll(() => query.evaluate(box => box === document.activeElement)).toBe(true)
    await page.keyboard.press('Escape')
    await palettedAway()
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe('prompt')
    await page.getByTestId('palette-open').click()
    await query.waitFor()
    await page.keyboard.press('Control+k')
    await palettedAway()
  })

  test('frees the memory of models, which the next run opens again', async () => {
    const mapped = async () => Number(await page.getByTestId('status-memory').getAttribute('data-mapped'))
    await expect.poll(mapped).toBeGreaterThan(0)
    await ask('free memory')
    await expect.poll(active).toBe('action:model.unload')
    await page.keyboard.press('Enter')
    await page.getByText('Models and SAEs are closed').waitFor()
    await expect.poll(mapped).toBe(0)
    await startRun(page)
    await expect.poll(mapped).toBeGreaterThan(0)
  })

  test('does an action by a few of its letters and remembers it', async () => {
    await ask('dark')
    await expect.poll(active).toBe('action:theme.dark')
    await page.keyboard.press('Enter')
    await expect.poll(theme).toBe('dark')
    await palettedAway()
    await ask('')
    await expect.poll(active).toBe('recent:theme.dark')
    await query.fill('theme light')
    await page.keyboard.press('Enter')
    await expect.poll(theme).toBe('light')
    await palettedAway()
    await ask('')
    await expect.poll(() => items.first().getAttribute('data-key')).toBe('recent:theme.light')
    await page.keyboard.press('Escape')
    await palettedAway()
    await ask("theme system's")
    await page.keyboard.press('Enter')
    await palettedAway()
    await ask('')
    await items.first().waitFor()
    await photograph(page, 'palette')
    await page.keyboard.press('Escape')
    await palettedAway()
  })

  test('is gone through by the keyboard alone, and says so to a screen reader', async () => {
    await ask('go to view')
    const keys = await items.evaluateAll(all => all.map(one => one.getAttribute('data-key')))
    expect(keys.length).toBeGreaterThan(6)
    await expect.poll(active).toBe(keys[0])
    await page.keyboard.press('ArrowDown')
    await expect.poll(active).toBe(keys[1])
    await page.keyboard.press('End')
    const choosable = await page
      .locator('[data-testid="palette-item"][aria-disabled="false"]')
      .evaluateAll(all => all.map(one => one.getAttribute('data-key')))
    await expect.poll(active).toBe(choosable.at(-1))
    await page.keyboard.press('ArrowDown')
    await expect.poll(active).toBe(keys[0])
    await page.keyboard.press('ArrowUp')
    await expect.poll(active).toBe(choosable.at(-1))
    await page.keyboard.press('Home')
    await expect.poll(active).toBe(keys[0])
    await page.keyboard.press('PageDown')
    await expect.poll(active).toBe(choosable[Math.min(8, choosable.length - 1)])
    const list = await page.getByTestId('palette-list').evaluate(element => ({ role: element.getAttribute('role'), id: element.id }))
    expect(list.role).toBe('listbox')
    expect(await query.getAttribute('aria-controls')).toBe(list.id)
    expect(await page.locator('[role="option"][aria-selected="true"]').count()).toBe(1)
    await page.keyboard.press('Escape')
    await palettedAway()
  })

  test('shows shortcuts beside actions, and why one cannot be done now', async () => {
    await ask('cancel the run')
    const cancel = item('action:run.cancel')
    expect(await cancel.textContent()).toContain('Ctrl+.')
    expect(await cancel.textContent()).toContain('nothing is running')
    expect(await cancel.getAttribute('aria-disabled')).toBe('true')
    await page.keyboard.press('Escape')
    await palettedAway()
  })

  test('goes to the page of a feature that is typed', async () => {
    await ask('2-demo-res-1k/7')
    await expect.poll(active).toMatch(/^feature:.*2-demo-res-1k\/7$/)
    await page.keyboard.press('Enter')
    await palettedAway()
    await expect.poll(hash).toMatch(/^#\/feature\/[^/]+\/2-demo-res-1k\/7$/)
    await expect.poll(() => page.getByTestId('feature-page').getAttribute('data-index')).toBe('7')
  })

  test('finds explanations, opens one, and hands the words to the search', async () => {
    await ask('travel')
    const hit = page.locator('[data-testid="palette-item"][data-key^="hit:"]').first()
    await hit.waitFor()
    expect((await hit.textContent())?.toLowerCase()).toContain('travel')
    const named = /(\S+)\/(\d+)$/.exec((await hit.locator('.facts').textContent())?.trim() ?? '')
    await photograph(page, 'palette-search')
    await hit.click()
    await palettedAway()
    await expect.poll(hash).toMatch(new RegExp(`^#/feature/[^/]+/${named?.[1]}/${named?.[2]}$`))
    await ask('travel')
    await item('all-hits').click()
    await palettedAway()
    await expect.poll(hash).toBe('#/explanations?q=travel')
    await page.getByTestId('search-count').waitFor()
  })

  test('finds a kept run by its words and opens it', async () => {
    await page.getByTestId('nav-compare').click()
    await runPrompt(page, 'A lighthouse keeper counts ships.')
    await runPrompt(page, 'The opposite of hot is')
    await page.getByTestId('nav-library').click()
    await ask('lighthouse ships')
    const found = page.locator('[data-testid="palette-item"][data-key^="run:"]')
    await found.waitFor()
    expect(await found.count()).toBe(1)
    await expect.poll(active).toMatch(/^run:/)
    await page.keyboard.press('Enter')
    await palettedAway()
    await expect.poll(hash).toMatch(/^#\/compare/)
    await expect.poll(() => page.getByTestId('prompt').inputValue()).toBe('A lighthouse keeper counts ships.')
    await page.getByTestId('reopened').waitFor()
  })

  test('uses a saved prompt', async () => {
    await page.getByTestId('prompt').fill('Saved words about rivers')
    await page.getByTestId('prompt-library').click()
    await page.getByTestId('prompt-name').fill('Rivers')
    await page.getByTestId('prompt-save').click()
    await page.locator('[data-testid="saved-prompt"][data-name="Rivers"]').waitFor()
    await page.keyboard.press('Escape')
    await page.getByTestId('prompt').fill('something else')
    await blur()
    await afterRun(page, async () => {
      await ask('rivers')
      await page.locator('[data-testid="palette-item"][data-key^="prompt:"]').click()
    })
    expect(await page.getByTestId('prompt').inputValue()).toBe('Saved words about rivers')
  })

  test('opens an SAE that lies on this disk, and the menu of one that is open', async () => {
    await ask('sae open as')
    const open = page.locator('[data-testid="palette-item"][data-key^="sae:"]').first()
    await open.click()
    await palettedAway()
    await page.getByTestId('sae-evaluate').waitFor()
    await page.keyboard.press('Escape')
    await ask('add an sae')
    await page.keyboard.press('Enter')
    await palettedAway()
    const path = page.getByPlaceholder('Type or paste a path')
    await path.waitFor()
    await page.keyboard.press('Escape')
    await path.waitFor({ state: 'detached' })
  })

  test('puts the focus where an action says', async () => {
    await page.getByTestId('nav-runs').click()
    await ask('go to the prompt')
    await page.keyboard.press('Enter')
    await palettedAway()
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe('prompt')
    expect(await hash()).toMatch(/^#\/compare/)
  })
})

describe('shortcuts', () => {
  test('are listed, those of actions and of widgets, and found', async () => {
    await blur()
    await page.keyboard.press('?')
    const list = page.getByTestId('shortcuts')
    await list.waitFor()
    const text = (await list.textContent()) ?? ''
    const hasSettings = (await page.getByTestId('nav-settings').count()) > 0
    const listed = Object.entries(actionWords).filter(([id, words]) => 'keys' in words && (hasSettings || id !== 'go.settings'))
    expect(listed.filter(([, { title }]) => !text.includes(title))).toEqual([])
    expect(text).toContain('In heat maps')
    await photograph(page, 'shortcuts')
    await page.getByTestId('shortcuts-filter').fill('baseline')
    await expect.poll(() => list.textContent()).not.toContain('heat maps')
    expect(await list.textContent()).toContain('Make the next variant the baseline')
    await page.keyboard.press('Escape')
    await list.waitFor({ state: 'detached' })
  })

  test('go to views, also from a text field, and back and forward', async () => {
    await page.getByTestId('nav-compare').click()
    await page.getByTestId('prompt').focus()
    await page.keyboard.press('Alt+7')
    await expect.poll(hash).toMatch(/^#\/runs/)
    await page.keyboard.press('Alt+8')
    await expect.poll(hash).toMatch(/^#\/library/)
    await page.keyboard.press('Alt+ArrowLeft')
    await expect.poll(hash).toMatch(/^#\/runs/)
    await page.keyboard.press('Alt+ArrowRight')
    await expect.poll(hash).toMatch(/^#\/library/)
  })

  test('write into a text field what they are there', async () => {
    await page.getByTestId('nav-compare').click()
    await page.getByTestId('prompt').fill('')
    await page.getByTestId('prompt').pressSequentially('be[c]/?')
    expect(await page.getByTestId('prompt').inputValue()).toBe('be[c]/?')
    expect(await page.getByTestId('shortcuts').count()).toBe(0)
  })

  test('start a run, choose the baseline and copy the table that is shown', async () => {
    await page.getByTestId('prompt').fill('Would you be able to travel')
    await afterRun(page, () => page.keyboard.press('Control+Enter'))
    await blur()
    const order = page.getByTestId('variant-order').locator('button')
    const first = await order.first().getAttribute('data-testid')
    const second = await order.nth(1).getAttribute('data-testid')
    await page.keyboard.press('b')
    await expect.poll(() => order.first().getAttribute('data-testid')).toBe(second)
    expect(await order.last().getAttribute('data-testid')).toBe(first)
    await page.getByTestId(first ?? '').click()
    await expect.poll(() => order.first().getAttribute('data-testid')).toBe(first)
    await page.getByTestId('tab-table').click()
    await page.getByTestId('row-0').waitFor()
    await blur()
    await page.keyboard.press('c')
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toMatch(/position\t/)
    await page.getByTestId('tab-overview').click()
  })

  test('choose tokens with the arrow keys, pin with Shift alone and let go with Esc', async () => {
    await blur()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await expect.poll(hash).toMatch(/token=2/)
    await page.keyboard.press('Shift')
    await expect.poll(() => page.getByTestId('tab-pinned').textContent()).toBe('Pinned (1)')
    await page.keyboard.press('Shift+Tab')
    expect(await page.getByTestId('tab-pinned').textContent()).toBe('Pinned (1)')
    await ask('let go of all pins')
    await page.keyboard.press('Enter')
    await palettedAway()
    await expect.poll(() => page.getByTestId('tab-pinned').textContent()).toBe('Pinned')
  })
})

describe('the menu of the window', () => {
  test('offers what the app’s menu offers, but not what the browser does itself', async () => {
    await page.getByTestId('menu').click()
    await page.getByTestId('menu-View').press('ArrowRight')
    await page.getByTestId('menu-theme.dark').waitFor()
    expect(await page.getByTestId('menu-zoom.in').count()).toBe(0)
    await photograph(page, 'menu')
    await page.getByTestId('menu-theme.dark').click()
    await expect.poll(theme).toBe('dark')
    await page.getByTestId('menu').click()
    await page.getByTestId('menu-View').press('ArrowRight')
    await page.getByTestId('menu-theme.system').click()
    await expect.poll(theme).toBe('light')
  })

  test('is reached and gone through by the keyboard', async () => {
    await page.getByTestId('menu').focus()
    await page.keyboard.press('Enter')
    await page.getByTestId('menu-File').waitFor()
    await page.keyboard.press('End')
    await page.keyboard.press('ArrowRight')
    await page.getByTestId('menu-about.show').waitFor()
    await page.keyboard.press('End')
    await page.keyboard.press('Enter')
    await page.getByTestId('about').waitFor()
    await page.keyboard.press('Escape')
    await page.getByTestId('about').waitFor({ state: 'detached' })
  })

  test('exports the run that is shown', async () => {
    await page.getByTestId('menu').click()
    await page.getByTestId('menu-File').press('ArrowRight')
    await page.getByTestId('menu-Export the run').press('ArrowRight')
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('menu-export.summary.csv').click()])
    expect(download.suggestedFilename()).toMatch(/summary\.csv$/)
  })
})

describe('About', () => {
  test('says what runs, and copies it', async () => {
    await ask('about')
    await page.keyboard.press('Enter')
    const about = page.getByTestId('about')
    await expect.poll(() => about.textContent()).toContain(home)
    const lines = await about.locator('dt').allTextContents()
    const values = await about.locator('dd').allTextContents()
    const said = Object.fromEntries(lines.map((name, at) => [name, values[at]]))
    expect(said).toMatchObject({
      Splice: packageJson.version,
      'onnxruntime-node': packageJson.dependencies['onnxruntime-node'],
      'better-sqlite3': packageJson.dependencies['better-sqlite3'],
      Node: process.versions.node
    })
    expect(said.providers?.split(', ')).toContain('cpu')
    expect(said.SQLite).toMatch(/^3\.\d+\.\d+$/)
    expect(said.browser).toMatch(/^Chromium \d+/)
    await photograph(page, 'about')
    await page.getByTestId('about-copy').click()
    await expect
      .poll(() => page.evaluate(() => navigator.clipboard.readText()))
      .toBe(lines.map((name, at) => `${name} ${values[at]}`).join('\n'))
    await page.getByTestId('about-licenses').click()
    const licenses = page.getByTestId('licenses')
    await licenses.locator('summary', { hasText: /^svelte 5/ }).click()
    await licenses.locator('details[open] pre', { hasText: 'Permission is hereby granted' }).waitFor()
    await photograph(page, 'licenses')
    await page.getByTestId('about-versions').click()
    await about.waitFor()
    await page.keyboard.press('Escape')
  })
})

describe('Diagnostics', () => {
  test('are read before they are copied or saved, and name no folder', async () => {
    await ask('diagnostics')
    await page.keyboard.press('Enter')
    const shown = page.getByTestId('diagnostics')
    await expect.poll(() => shown.textContent()).toContain('Errors of late')
    const text = (await shown.textContent()) ?? ''
    expect(text).toContain(`Splice            ${packageJson.version}`)
    expect(text).toMatch(/Window\n {2}browser {2}Chromium \d+/)
    expect(text).not.toContain(home)
    await photograph(page, 'diagnostics')
    await page.getByTestId('diagnostics-copy').click()
    await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(text)
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByTestId('diagnostics-save').click()])
    expect(download.suggestedFilename()).toBe('splice-diagnostics.txt')
    expect(readFileSync(await download.path(), 'utf8')).toBe(text)
    await page.keyboard.press('Escape')
  })
})

describe('back and forward', () => {
  test('are buttons that know whether there is anything', async () => {
    const other = await (await page.context().browser()?.newContext())?.newPage()
    if (other === undefined) throw new Error('the browser has gone')
    await other.goto(workbench.url)
    await other.getByTestId('go.back').waitFor()
    await expect.poll(() => other.getByTestId('go.back').isDisabled()).toBe(true)
    expect(await other.getByTestId('go.forward').isDisabled()).toBe(true)
    await other.getByTestId('nav-runs').click()
    await expect.poll(() => other.getByTestId('go.back').isDisabled()).toBe(false)
    await other.getByTestId('go.back').click()
    await expect.poll(() => other.getByTestId('go.forward').isDisabled()).toBe(false)
    expect(await other.evaluate(() => location.hash)).not.toContain('runs')
    await other.getByTestId('go.forward').click()
    await expect.poll(() => other.evaluate(() => location.hash)).toMatch(/^#\/runs/)
    await other.context().close()
  })
})

describe('Undo', () => {
  test('is reached by its keys, and by the palette', async () => {
    await page.getByTestId('nav-runs').click()
    const rows = page.locator('[data-testid="runs-list"] [data-id]')
    // The list of the last visit stands there until the present one comes.
    const before = 6
    await expect.poll(() => rows.count()).toBe(before)
    await ask('remove the selected run')
    await page.keyboard.press('Enter')
    await palettedAway()
    await expect.poll(() => rows.count()).toBe(before - 1)
    await blur()
    await page.keyboard.press('Control+z')
    await expect.poll(() => rows.count()).toBe(before)
    await rows.first().focus()
    await page.keyboard.press('Delete')
    await expect.poll(() => rows.count()).toBe(before - 1)
    await ask('undo')
    await expect.poll(active).toBe('action:undo.last')
    await page.keyboard.press('Enter')
    await expect.poll(() => rows.count()).toBe(before)
    await ask('undo')
    expect(await item('action:undo.last').getAttribute('aria-disabled')).toBe('true')
    await page.keyboard.press('Escape')
  })

  test('of a run in the list: new, pinned', async () => {
    await palettedAway()
    await blur()
    await ask('pin the selected')
    await page.keyboard.press('Enter')
    await palettedAway()
    await expect.poll(() => page.getByTestId('run-pin').textContent()).toContain('Pinned')
    await blur()
    await page.keyboard.press('n')
    await expect.poll(hash).toMatch(/^#\/compare/)
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe('prompt')
  })
})

test('nothing was logged as an error', () => {
  expect(workbench.problems).toEqual([])
})
