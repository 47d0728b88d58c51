import type { Page } from 'playwright-core'
import { runPrompt } from '../../workbench.ts'

/** What a state may use: a folder to write into, and the host's address. */
export interface Grounds {
  readonly folder: string
  readonly url: string
}

/** A state of the window. `shows` are the components that it is there for, below src/renderer. */
export interface ViewState {
  readonly name: string
  readonly shows: readonly string[]
  reach(page: Page, grounds: Grounds): Promise<void>
}

export const wormhole = 'Would you be able to travel through time using a wormhole?'
export const feature = 'demo-gemma2-tiny/2-demo-res-1k/656'

/** Opens an address below `#/`, whatever is open. */
export async function go(page: Page, { url }: Grounds, hash: string): Promise<void> {
  await page.goto(`${new URL(url).origin}/#/${hash}`)
}

/** Chooses a radio button that is drawn as its label. */
export async function choose(page: Page, testid: string): Promise<void> {
  await page.locator('label', { has: page.getByTestId(testid) }).click()
}

export async function typeSearch(page: Page, text: string): Promise<void> {
  await page.getByTestId('explanations-search').fill(text)
}

/** Chooses the first entry that the palette has for some words. */
export async function openByPalette(page: Page, words: string): Promise<void> {
  await page.getByTestId('palette-open').click()
  await page.getByTestId('palette-query').fill(words)
  await page.getByTestId('palette-item').first().waitFor()
  await page.keyboard.press('Enter')
}

/** Opens a popover of Compare by its button. */
export function popover(name: string, testid: string, shows: string): ViewState {
  return {
    name,
    shows: [shows],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await page.getByTestId(testid).click()
      await page.locator('.popover').waitFor()
    }
  }
}

/** Opens the lever of the first feature at a token. */
export async function openLever(page: Page, grounds: Grounds): Promise<void> {
  await go(page, grounds, 'compare')
  await runPrompt(page, wormhole)
  await page.getByTestId('strip-clean').locator('[data-position="6"]').click()
  await page.getByTestId('features-own').locator('[data-testid^="lever-"]').first().click()
  await page.getByTestId('lever').waitFor()
}
