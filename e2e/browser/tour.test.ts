/** The first-run tour: once at the first start of a home, three steps, by keyboard, and again when it is asked for. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { photograph } from '../chromium.ts'
import { temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, startRun, type Workbench } from '../workbench.ts'

const home = temporaryFolder()
let workbench: Workbench
let page: Page

beforeAll(async () => {
  writeFileSync(join(home, 'settings.json'), '{}')
  workbench = await openWorkbench(home)
  page = workbench.page
  await page.getByTestId('tour').waitFor()
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

const step = () => page.getByTestId('tour').getAttribute('data-step')
const focused = () => page.evaluate(() => document.activeElement?.getAttribute('data-testid'))

/** Whether the note is inside the window and beside what it is about, not over it. */
async function standsBeside(anchor: string): Promise<boolean> {
  const [note, about, size] = [await page.getByTestId('tour').boundingBox(), await page.locator(anchor).boundingBox(), page.viewportSize()]
  if (note === null || about === null || size === null) return false
  const isInside = note.x >= 0 && note.y >= 0 && note.x + note.width <= size.width && note.y + note.height <= size.height
  const isApart =
    note.x >= about.x + about.width || note.x + note.width <= about.x || note.y >= about.y + about.height || note.y + note.height <= about.y
  return isInside && isApart
}

test('comes with the first start, as a dialog that has the focus', async () => {
  expect(await page.getByRole('dialog', { name: 'A model and its SAEs' }).count()).toBe(1)
  expect(await focused()).toBe('tour-next')
  await expect.poll(() => standsBeside('[data-tour="model"]')).toBe(true)
  await photograph(page, 'tour-1')
})

test('goes on and back with the arrow keys, each step at what it is about', async () => {
  await page.keyboard.press('ArrowRight')
  await expect.poll(step).toBe('1')
  await expect.poll(() => standsBeside('[data-tour="prompt"]')).toBe(true)
  await expect.poll(focused).toBe('tour-next')
  await photograph(page, 'tour-2')
  await page.keyboard.press('Enter')
  await expect.poll(step).toBe('2')
  await expect.poll(() => standsBeside('[data-tour="inspector"]')).toBe(true)
  await photograph(page, 'tour-3')
  await page.setViewportSize({ width: 1024, height: 640 })
  await expect.poll(() => standsBeside('[data-tour="inspector"]')).toBe(true)
  await page.setViewportSize({ width: 1280, height: 800 })
  await page.keyboard.press('ArrowLeft')
  await expect.poll(step).toBe('1')
  expect(new URL(page.url()).hash).not.toContain('token')
})

test('lets work go on beside it', async () => {
  await page.getByTestId('prompt').fill('Once upon a time')
  await startRun(page)
  expect(await page.getByTestId('tour').count()).toBe(1)
})

test('ends with Esc, and does not come again with the next start', async () => {
  await page.getByTestId('tour-next').focus()
  await page.keyboard.press('Escape')
  await expect.poll(() => page.getByTestId('tour').count()).toBe(0)
  expect(JSON.parse(readFileSync(join(home, 'settings.json'), 'utf8'))).toMatchObject({ tourSeen: true })
  await page.reload()
  await page.getByTestId('summary').waitFor()
  await page.waitForTimeout(1000)
  expect(await page.getByTestId('tour').count()).toBe(0)
})

test('comes again from the settings, and ends with its last step', async () => {
  await page.getByTestId('nav-settings').click()
  await page.getByTestId('take-tour').click()
  await page.getByTestId('tour').waitFor()
  expect(new URL(page.url()).hash).toBe('#/compare')
  for (let at = 0; at < 3; at += 1) await page.getByTestId('tour-next').click()
  await expect.poll(() => page.getByTestId('tour').count()).toBe(0)
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
