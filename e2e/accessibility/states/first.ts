/** First visits: views that are empty, and those that follow the run of the start. */
import { go, type ViewState, wormhole } from './steps.ts'

export const firstStates: readonly ViewState[] = [
  {
    name: 'Attribution, empty',
    shows: ['views/attribution/attribution.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'attribution')
      await page.getByTestId('empty-note').waitFor()
    }
  },
  {
    name: 'Attribution, with pairs, a group, and a feature followed',
    shows: ['views/attribution/attribution.svelte', 'views/attribution/effect-chart.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'attribution')
      await page.getByTestId('attribution-pairs').fill('4')
      await page.getByTestId('attribution-start').click()
      await page.getByTestId('pairs').waitFor()
      const rows = page.getByTestId('effects').locator('[data-feature]')
      for (const row of [0, 2]) await rows.nth(row).locator('input').check()
      await page.getByTestId('ablate-together').click()
      await page.getByTestId('groups').waitFor()
      await rows.nth(1).click()
      await page.getByTestId('followed-effect').waitFor()
    }
  },
  {
    name: 'Patching, empty',
    shows: ['views/patching/patching.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'patching')
      await page.getByTestId('empty-note').waitFor()
    }
  },
  {
    name: 'Patching, a cell',
    shows: ['views/patching/patching.svelte', 'views/patching/patch-heat.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'patching?site=resid_pre&layer=1&token=8')
      await page.getByTestId('source').fill(wormhole.replace('time', 'space'))
      await page.getByTestId('site-z').check()
      await page.getByTestId('patch-start').click()
      await page.getByTestId('grid-z').waitFor()
      await page.getByTestId('patch-predictions').waitFor()
    }
  },
  {
    name: 'Patching, a token taken and the table',
    shows: ['views/patching/patch-table.svelte', 'views/patching/pair-strip.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'patching')
      await page.getByTestId('pair-source').locator('[data-position="8"]').click()
      await page.getByTestId('patch-table').click()
      await page.getByTestId('patch-rows').waitFor()
    }
  },
  {
    name: 'Generate, empty',
    shows: ['views/generate/generate.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'generate')
      await page.getByTestId('empty-note').waitFor()
    }
  },
  {
    name: 'Test prompt, empty',
    shows: ['views/test-prompt/test-prompt.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'test-prompt')
      await page.getByTestId('empty-note').waitFor()
    }
  },
  {
    name: 'Lists, empty',
    shows: ['views/explanations/explanations.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'explanations/lists')
      await page.getByTestId('list-name').waitFor()
    }
  }
]
