/**
 * `npm run tour [-- NAME...] [--to FOLDER]`: takes the pictures of docs/tour.md, all or some by name, from the workbench on the demo model
 * in a real Chromium, light, 1280x800. Each stop begins where the one before it ended, so all are gone through whatever is pictured.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runOnProjectNode } from './project-node.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
runOnProjectNode(root, import.meta.url)
const { openWorkbench, runPrompt } = await import('../e2e/workbench.ts')

const ball = name => `${name} threw the ball to Jack. Jack threw the ball to Will. Will threw the ball back to`
const wormhole = 'Would you be able to travel through time using a wormhole?'
const { values, positionals: chosen } = parseArgs({ options: { to: { type: 'string' } }, allowPositionals: true })
const folder = values.to ?? join(root, 'docs', 'tour')
mkdirSync(folder, { recursive: true })
const home = mkdtempSync(join(tmpdir(), 'splice-tour-'))
const workbench = await openWorkbench(home)
const { page } = workbench
const at = testid => page.getByTestId(testid)

/** Writes where Splice lies as it would be elsewhere: pictures are not to tell of the machine that they were made on. */
function hideRoot([here, there]) {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    if (texts.currentNode.data.includes(here)) texts.currentNode.data = texts.currentNode.data.replaceAll(here, there)
  }
}

/** What leads to each picture. */
const stops = {
  open: async () => {
    await at('model-picker').click()
    await at('path-field').waitFor()
  },
  compare: async () => {
    await page.keyboard.press('Escape')
    await page.waitForFunction(() => /4,138 explanations/.test(document.querySelector('[data-testid="status-mirror"]')?.textContent ?? ''))
    await runPrompt(page, wormhole)
  },
  token: async () => {
    await at('strip-clean').locator('[data-position="10"]').click()
    await at('inspector').waitFor()
  },
  features: async () => {
    await at('nav-features').click()
    await at('ranking').locator('[data-feature]').first().click()
    await at('feature-strip').waitFor()
  },
  feature: async () => {
    await at('feature-page-link').click()
    await at('feature-explanations').waitFor()
    await at('examples').waitFor()
  },
  search: async () => {
    await at('nav-explanations').click()
    await at('explanations-search').fill('decept')
    await page.waitForFunction(() => document.querySelector('[data-testid="hit-0"]')?.textContent?.toLowerCase().includes('decept'))
    await page.waitForFunction(() => /hits/.test(document.querySelector('[data-testid="search-count"]')?.textContent ?? ''))
  },
  sources: async () => {
    await at('tab-sources').click()
    await at('source-demo-gemma2-tiny/2-demo-res-1k').click()
    await page.locator('[data-testid^="overview-"]').first().waitFor()
  },
  'test-prompt': async () => {
    await at('nav-test-prompt').click()
    await at('prompt').fill('Would you be able to travel through time using a')
    await at('answer-0').fill('wormhole')
    await at('add-answer').click()
    await page.keyboard.type('machine')
    await at('run').click()
    await at('answers').waitFor()
  },
  generate: async () => {
    await at('nav-generate').click()
    await at('prompt').fill('Once upon a time')
    await at('setting-seed').fill('3')
    await at('run').click()
    await page.waitForFunction(() => {
      const facts = [...document.querySelectorAll('[data-testid="facts"]')]
      return facts.length > 0 && facts.every(fact => /ended its text|full length/.test(fact.textContent ?? ''))
    })
    await page.locator('[data-testid="continuation-clean-0"] [data-step="3"]').click()
  },
  hooks: async () => {
    await at('nav-compare').click()
    await runPrompt(page, 'Would you be able to travel through space using a wormhole?')
    await at('nav-hooks').click()
    await at('hook-hook_embed').waitFor()
    await at('hooks-filter').fill('attn.hook_pattern')
    await at('hook-blocks.2.attn.hook_pattern').click()
    await page.waitForFunction(() => document.querySelector('canvas') !== null)
  },
  runs: async () => {
    await at('nav-runs').click()
    for (const text of ['through time using a wormhole', 'through space']) {
      await at('runs-list').locator('[data-id]').filter({ hasText: text }).first().locator('[data-testid^="pick-"]').check()
    }
    await at('compare-picked').click()
    await at('token-differences').waitFor()
  },
  export: async () => {
    await at('nav-compare').click()
    await at('export').click()
    await at('export-json').waitFor()
  },
  patching: async () => {
    await page.keyboard.press('Escape')
    await runPrompt(page, ball('Anna'))
    await at('nav-patching').click()
    await at('source').fill(ball('Mary'))
    for (const site of ['attn_out', 'mlp_out']) await at(`site-${site}`).uncheck()
    await at('site-z').check()
    await at('patch-start').click()
    await at('patch-start').waitFor()
    const heads = at('grid-z').getByTestId('heatmap')
    const [x, y, width, height] = (await heads.getAttribute('data-plot')).split(' ').map(Number)
    await heads.click({ position: { x: x + 0.6 * width, y: y + 0.1 * height } })
    await at('patch-predictions').waitFor()
    await at('grid-z').scrollIntoViewIfNeeded()
  }
}

try {
  const unknown = chosen.filter(name => !(name in stops))
  if (unknown.length > 0) throw new Error(`no stop ${unknown.join(', ')}; there are ${Object.keys(stops).join(', ')}`)
  for (const [name, lead] of Object.entries(stops)) {
    await lead()
    if (chosen.length > 0 && !chosen.includes(name)) continue
    await page.mouse.move(640, 2)
    // Two frames for the layout and the charts, and the time that the longest transition takes.
    await page.evaluate(() => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))))
    await page.waitForTimeout(300)
    await page.evaluate(hideRoot, [root.replace(/\/$/, ''), '/opt/splice'])
    await page.screenshot({ path: join(folder, `${name}.png`) })
    console.log(`${name}.png`)
  }
  if (workbench.problems.length > 0) throw new Error(`the page logged ${workbench.problems.join('; ')}`)
} finally {
  await workbench.close()
  rmSync(home, { recursive: true, force: true })
}
