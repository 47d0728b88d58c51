/** The browser that e2e tests look through. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { root } from './command-line.ts'

const candidates = [process.env.SPLICE_CHROMIUM, '/usr/bin/chromium', chromium.executablePath()]

/** Where Chromium is, and with what it starts: it refuses its sandbox to root; containers have no /dev/shm worth the name. */
export function chromiumCommand(): { executablePath: string; args: string[] } {
  const executablePath = candidates.find(path => path !== undefined && path !== '' && existsSync(path))
  if (executablePath === undefined) throw new Error('no Chromium: set SPLICE_CHROMIUM to its path')
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const quiet = ['quic', 'background-networking', 'component-update', 'sync'].map(what => `--disable-${what}`)
  return { executablePath, args: [...asRoot, '--disable-dev-shm-usage', '--no-first-run', ...quiet] }
}

/** Starts a browser without a window. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch(chromiumCommand())
}

const small = { width: 1280, height: 800 }
const large = { width: 1920, height: 1080 }
/** Every view is pictured small and light; in `npm run test:all`, in both themes at both sizes. The last is what a page is left at. */
const pictures = [
  { colorScheme: 'dark', size: large, isAlways: false },
  { colorScheme: 'dark', size: small, isAlways: false },
  { colorScheme: 'light', size: large, isAlways: false },
  { colorScheme: 'light', size: small, isAlways: true }
] as const

/** Pictures of a view in test-results; the page is left small and light. */
export async function photograph(page: Page, view: string): Promise<void> {
  const folder = join(root, 'test-results', 'screenshots')
  mkdirSync(folder, { recursive: true })
  const isAll = process.env.SPLICE_LONG_TESTS !== undefined
  for (const { colorScheme, size } of pictures.filter(({ isAlways }) => isAlways || isAll)) {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize(size)
    // Two frames: one for the layout to follow, one for the charts.
    await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))))
    await page.screenshot({ path: join(folder, `${view}-${colorScheme}-${size.width}x${size.height}.png`) })
  }
}
