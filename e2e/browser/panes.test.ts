/** Panes beside and below what a view shows: sized with the mouse and the keyboard, folded away, and as large as before after a restart. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { photograph } from '../chromium.ts'
import { temporaryFolder } from '../command-line.ts'
import { keepPictureOfFailures, openWorkbench, type Workbench } from '../workbench.ts'

const home = temporaryFolder()
let workbench: Workbench
let page: Page

beforeAll(async () => {
  workbench = await openWorkbench(home)
  page = workbench.page
})
afterAll(() => workbench?.close())
keepPictureOfFailures(() => page)

const separator = (name: string) => page.getByTestId(`separator-${name}`)

/** The pane's extent along its axis, in CSS pixels. */
async function sizeOf(name: string, along: 'width' | 'height' = 'width'): Promise<number> {
  const box = await page.getByTestId(`pane-${name}`).boundingBox()
  if (box === null) throw new Error(`there is no pane ${name}`)
  return box[along]
}

/** Drags a separator by so many CSS pixels. */
async function drag(name: string, by: { x?: number; y?: number }): Promise<void> {
  const box = await separator(name).boundingBox()
  if (box === null) throw new Error(`there is no separator ${name}`)
  const from = { x: box.x + box.width / 2, y: box.y + box.height / 3 }
  await page.mouse.move(from.x, from.y)
  await page.mouse.down()
  await page.mouse.move(from.x + (by.x ?? 0) / 2, from.y + (by.y ?? 0) / 2)
  await page.mouse.move(from.x + (by.x ?? 0), from.y + (by.y ?? 0))
  await page.mouse.up()
  await drawn()
}

/** Waits until the page has drawn what came last: moves are handed over frame by frame. */
async function drawn(): Promise<void> {
  await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))))
}

const keptPanes = () => JSON.parse(readFileSync(join(home, 'settings.json'), 'utf8')).panes

async function show(view: string): Promise<void> {
  await page.evaluate(hash => {
    location.hash = hash
  }, `#/${view}`)
}

describe('the inspector', () => {
  test('grows when its line is dragged, and what stands beside it gives way', async () => {
    const before = await sizeOf('inspector')
    await drag('inspector', { x: -100 })
    expect(await sizeOf('inspector')).toBeCloseTo(before + 100, 0)
    await expect.poll(keptPanes).toEqual({ inspector: { size: Math.round(before + 100), collapsed: false } })
    expect(Number(await separator('inspector').getAttribute('aria-valuenow'))).toBe(Math.round(before + 100))
  })

  test('is as large in the other views that have one, and after a reload', async () => {
    const size = await sizeOf('inspector')
    for (const view of ['generate', 'test-prompt', 'features', 'compare']) {
      await show(view)
      await expect.poll(() => sizeOf('inspector')).toBeCloseTo(size, 0)
    }
    await page.reload()
    await page.getByTestId('summary').waitFor()
    await expect.poll(() => sizeOf('inspector')).toBeCloseTo(size, 0)
  })

  test('is moved with the arrow keys, which choose no token meanwhile; Home gives it its own size', async () => {
    await page.getByTestId('strip-clean').locator('[data-position="4"]').click()
    await expect.poll(() => page.url()).toContain('token=4')
    const address = page.url()
    const before = await sizeOf('inspector')
    await separator('inspector').focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Shift+ArrowRight')
    expect(await sizeOf('inspector')).toBeCloseTo(before - 80, 0)
    await page.keyboard.press('ArrowLeft')
    expect(await sizeOf('inspector')).toBeCloseTo(before - 64, 0)
    expect(page.url()).toBe(address)
    await page.keyboard.press('Home')
    await expect.poll(keptPanes).toEqual({})
    await page.keyboard.press('ArrowLeft')
    await separator('inspector').dblclick({ position: { x: 4, y: 40 } })
    await expect.poll(keptPanes).toEqual({})
  })

  test('is neither smaller than its least size nor so large that the view has no room', async () => {
    const { least, most } = await separator('inspector').evaluate(line => ({
      least: Number(line.getAttribute('aria-valuemin')),
      most: Number(line.getAttribute('aria-valuemax'))
    }))
    await drag('inspector', { x: -1100 })
    expect(await sizeOf('inspector')).toBeCloseTo(most, 0)
    await page.setViewportSize({ width: 1024, height: 640 })
    const main = await page.getByTestId('summary').boundingBox()
    expect(main?.width).toBeGreaterThan(300)
    await page.setViewportSize({ width: 1280, height: 800 })
    await drag('inspector', { x: most - least - 40 })
    await drag('inspector', { x: 60 })
    expect(await sizeOf('inspector')).toBeCloseTo(least, 0)
    await separator('inspector').press('Home')
  })

  test('folds away with Enter or when it is drawn far in, and is back with one key or click at its size', async () => {
    await drag('inspector', { x: -60 })
    const size = await sizeOf('inspector')
    await separator('inspector').press('Enter')
    expect(await sizeOf('inspector')).toBeLessThan(30)
    expect(await page.getByTestId('inspector').count()).toBe(0)
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('data-testid'))).toBe('unfold-inspector')
    await photograph(page, 'compare-folded')
    await page.keyboard.press('Enter')
    await page.getByTestId('inspector').waitFor()
    expect(await sizeOf('inspector')).toBeCloseTo(size, 0)
    await drag('inspector', { x: size - 40 })
    expect(await sizeOf('inspector')).toBeLessThan(30)
    await expect.poll(async () => keptPanes().inspector.collapsed).toBe(true)
    await page.reload()
    await page.getByTestId('unfold-inspector').click()
    await page.getByTestId('inspector').waitFor()
    await separator('inspector').press('Home')
  })
})

describe('other panes', () => {
  test('have sizes of their own: navigation, filters, the run that is chosen', async () => {
    await drag('navigation', { x: 40 })
    expect(await sizeOf('navigation')).toBeCloseTo(168, 0)
    await show('explanations?q=time')
    await page.getByTestId('facets').waitFor()
    const filters = await sizeOf('filters')
    await drag('filters', { x: 50 })
    expect(await sizeOf('filters')).toBeCloseTo(filters + 50, 0)
    await show('runs')
    await page.getByTestId('run-panel').waitFor()
    await drag('run', { x: -40 })
    await expect.poll(() => Object.keys(keptPanes()).sort()).toEqual(['filters', 'navigation', 'run'])
  })

  test('an activation stands below the tables of hook points, or beside them in a wide window, each with its size', async () => {
    await show('hooks?hook=blocks.0.hook_resid_pre')
    await page.getByTestId('activation').waitFor()
    const height = await sizeOf('hook-rows', 'height')
    await drag('hook-rows', { y: 60 })
    expect(await sizeOf('hook-rows', 'height')).toBeCloseTo(height - 60, 0)
    await separator('hook-rows').press('ArrowUp')
    expect(await sizeOf('hook-rows', 'height')).toBeCloseTo(height - 44, 0)
    await page.setViewportSize({ width: 1920, height: 1080 })
    await separator('hook-columns').waitFor()
    await drag('hook-columns', { x: -120 })
    await expect.poll(() => Object.keys(keptPanes())).toContain('hook-columns')
    await page.setViewportSize({ width: 1280, height: 800 })
    expect(await sizeOf('hook-rows', 'height')).toBeCloseTo(height - 44, 0)
  })
})

test('the page logged no errors', () => {
  expect(workbench.problems).toEqual([])
})
