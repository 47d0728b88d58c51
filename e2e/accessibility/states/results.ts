/** What runs, continuations, answers, hook points, the lens and the history have, once there are some. */
import { expect } from 'vitest'
import { go, type ViewState } from './steps.ts'

export const resultStates: readonly ViewState[] = [
  {
    name: 'Test prompt, answers compared',
    shows: ['views/test-prompt/test-prompt.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'test-prompt')
      await page.getByTestId('prompt').fill('Would you be able to travel through time using a')
      await page.getByTestId('answer-0').fill('wormhole')
      await page.getByTestId('add-answer').click()
      await page.getByTestId('answer-1').fill('machine')
      await page.getByTestId('answer-1').press('Enter')
      await page.getByTestId('answers').waitFor()
      await page.getByTestId('place-prompt').click()
      await page.keyboard.press('ArrowDown')
    }
  },
  {
    name: 'Generate, finished, with a token looked into',
    shows: ['views/generate/generate.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'generate')
      await page.getByTestId('prompt').fill('Once upon a time')
      await page.getByTestId('setting-seed').fill('3')
      await page.getByTestId('setting-maxNewTokens').fill('40')
      await page.getByTestId('run').click()
      await expect
        .poll(async () => {
          const facts = await page.getByTestId('facts').allTextContents()
          return facts.length > 0 && facts.every(text => /ended its text|full length|context is full/.test(text))
        })
        .toBe(true)
      await page.getByTestId('continuation-clean-0').locator('[data-step="5"]').click()
      await page.getByTestId('generated-features').locator('[data-testid^="feature-l0_15-"]').first().waitFor()
    }
  },
  {
    name: 'Generate, the table, with settings that cannot be',
    shows: ['views/generate/generate.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'generate?show=table')
      await page.getByTestId('generated-table').waitFor()
      await page.getByTestId('setting-topP').fill('1.5')
      await page.getByTestId('mistake-topP').waitFor()
    }
  },
  {
    name: 'Hooks, the tables',
    shows: ['views/hooks/hooks.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'hooks')
      await page.getByTestId('hook-hook_embed').waitFor()
    }
  },
  {
    name: 'Hooks, attention patterns',
    shows: ['views/hooks/hooks.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'hooks')
      await page.getByTestId('hooks-filter').fill('blocks.1.attn.hook_pattern')
      await page.getByTestId('hook-blocks.1.attn.hook_pattern').click()
      await page.locator('[data-testid="activation"][data-hook="blocks.1.attn.hook_pattern"]').waitFor()
      await page.getByTestId('heat-legend').waitFor()
    }
  },
  {
    name: 'Hooks, values as a table',
    shows: ['views/hooks/hooks.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'hooks')
      await page.getByTestId('hooks-filter').fill('blocks.3.hook_resid_mid')
      await page.getByTestId('hook-blocks.3.hook_resid_mid').click()
      await page.getByTestId('heat-legend').waitFor()
      await page.getByTestId('activation-table').click()
      await page.getByTestId('value-table').waitFor()
      // It is dimmed until its values are those of the head chosen.
      await expect.poll(() => page.locator('[data-testid="activation"] .stale').count()).toBe(0)
    }
  },
  {
    name: 'a feature by its weights alone',
    shows: ['views/feature/feature.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'feature/sae/l0_3/5')
      await page.locator('[data-testid="weights"][data-of="5"]').waitFor()
      await page.getByTestId('fired').waitFor()
    }
  },
  {
    name: 'Logit lens, a cell',
    shows: ['views/lens/lens.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'lens?layer=2_pre&token=5')
      await page.locator('[data-testid="heatmap"][data-columns]').waitFor()
      await page.getByTestId('lens-cell').waitFor()
    }
  },
  {
    name: 'Logit lens, as a table',
    shows: ['views/lens/lens.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'lens?layer=2_pre&token=5')
      await page.getByTestId('lens-table').click()
      await page.getByTestId('lens-rows').waitFor()
    }
  },
  {
    name: 'saving activations',
    shows: ['views/hooks/save-dialog.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'hooks')
      await page.getByTestId('hook-hook_embed').waitFor()
      await page.getByTestId('hooks-save').click()
      await page.getByTestId('save-folder').waitFor()
    }
  },
  {
    name: 'Runs, with one chosen',
    shows: ['views/runs/runs.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'runs')
      const list = page.getByTestId('runs-list').locator('[data-id]')
      await list.first().click()
      await page.getByTestId('run-panel').waitFor()
      await page.getByTestId('run-tag').fill('paper')
      await page.getByTestId('run-tag').press('Enter')
      await page.getByTestId('run-panel').locator('.chip', { hasText: 'paper' }).waitFor()
      for (const row of [0, 1]) await list.nth(row).getByRole('checkbox').check()
      await page.getByTestId('compare-picked').waitFor()
    }
  },
  {
    name: 'Runs, compared',
    shows: ['views/runs/runs.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'runs')
      await page.getByTestId('compare-picked').click()
      await page.getByTestId('setting').first().waitFor()
      await page.getByTestId('show-equal').click()
    }
  },
  {
    name: 'clearing the history',
    shows: ['views/runs/clear-dialog.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'runs')
      await page.getByTestId('runs-clear').click()
      await page.getByTestId('clear-confirm').waitFor()
    }
  }
]
