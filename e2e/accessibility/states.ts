/** Every view and dialog with something in it, and empty: how a person gets there. A view without an entry here fails the tests. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { demo, root } from '../command-line.ts'
import { afterRun, runPrompt } from '../workbench.ts'

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

const wormhole = 'Would you be able to travel through time using a wormhole?'
const feature = 'demo-gemma2-tiny/2-demo-res-1k/656'

/** Opens an address below `#/`, whatever is open. */
async function go(page: Page, { url }: Grounds, hash: string): Promise<void> {
  await page.goto(`${new URL(url).origin}/#/${hash}`)
}

/** Chooses a radio button that is drawn as its label. */
async function choose(page: Page, testid: string): Promise<void> {
  await page.locator('label', { has: page.getByTestId(testid) }).click()
}

async function typeSearch(page: Page, text: string): Promise<void> {
  await page.getByTestId('explanations-search').fill(text)
}

/** Chooses the first entry that the palette has for some words. */
async function openByPalette(page: Page, words: string): Promise<void> {
  await page.getByTestId('palette-open').click()
  await page.getByTestId('palette-query').fill(words)
  await page.getByTestId('palette-item').first().waitFor()
  await page.keyboard.press('Enter')
}

/** Opens a popover of Compare by its button. */
function popover(name: string, testid: string, shows: string): ViewState {
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
async function openLever(page: Page, grounds: Grounds): Promise<void> {
  await go(page, grounds, 'compare')
  await runPrompt(page, wormhole)
  await page.getByTestId('strip-clean').locator('[data-position="6"]').click()
  await page.getByTestId('features-own').locator('[data-testid^="lever-"]').first().click()
  await page.getByTestId('lever').waitFor()
}

/** In the order in which they are visited; later ones find what earlier ones made. */
export const viewStates: readonly ViewState[] = [
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
  },
  {
    name: 'Compare, with a token selected and two pinned',
    shows: ['views/compare/compare.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await runPrompt(page, wormhole)
      const token = (position: number) => page.getByTestId('strip-clean').locator(`[data-position="${position}"]`)
      for (const position of [4, 6]) await token(position).click({ modifiers: ['Shift'] })
      await token(11).click()
      await page.getByTestId('inspector').locator('.explanation').first().waitFor()
    }
  },
  {
    name: 'Compare, pinned tokens side by side',
    shows: ['views/compare/compare.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await page.getByTestId('tab-pinned').click()
      await page.getByTestId('pinned-panel').waitFor()
    }
  },
  {
    name: 'Compare, tables of tokens and positions',
    shows: ['views/compare/compare.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await page.getByTestId('tab-table').click()
      await page.getByTestId('row-3').waitFor()
      await page.getByTestId('tab-overview').click()
      await page.getByTestId('chart-table').click()
      await page.getByTestId('position-table').waitFor()
    }
  },
  {
    name: 'Compare, the table of tokens',
    shows: ['views/compare/compare.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await page.getByTestId('chart-table').click()
      await page.getByTestId('tab-table').click()
      await page.getByTestId('row-3').waitFor()
    }
  },
  {
    name: 'Compare, the scatter with numbers in the strips',
    shows: ['views/compare/compare.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await page.getByTestId('tab-overview').click()
      await page.getByTestId('strip-numbers').check()
      await page.getByTestId('chart-scatter').click()
      await page.getByTestId('scatter').waitFor()
    }
  },
  {
    name: 'Compare, a chat by a template of the own',
    shows: ['views/compare/compare.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await page.getByTestId('chart-by-position').click()
      await choose(page, 'mode-chat')
      await page.getByTestId('chat-message-0').locator('textarea').fill('Would you be able to travel through time?')
      await page.getByTestId('chat-template').click()
      await page
        .getByTestId('template-source')
        .fill(
          "{{ bos_token }}{% for m in messages %}<{{ m['role'] }}> {{ m['content'] }}\n{% endfor %}{% if add_generation_prompt %}<model> {% endif %}"
        )
      await expect.poll(() => page.getByTestId('template-use').isEnabled()).toBe(true)
      await page.getByTestId('template-use').click()
      await afterRun(page, () => page.getByTestId('run').click())
      await page.getByTestId('strip-roles').first().waitFor()
    }
  },
  {
    name: 'the chat template dialog',
    shows: ['components/prompt/template-dialog.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await page.getByTestId('chat-template').click()
      await page.getByTestId('template-source').waitFor()
    }
  },
  {
    name: 'Compare, token ids with a mistake',
    shows: ['views/compare/compare.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await choose(page, 'mode-ids')
      await page.getByTestId('prompt-ids').fill('2, 106, 12a')
      await page.getByTestId('error-note').waitFor()
    }
  },
  popover('the model picker', 'model-picker', 'components/model-picker.svelte'),
  popover('the SAE picker', 'sae-picker-l0_15', 'components/sae-picker.svelte'),
  popover('adding an SAE', 'add-sae', 'components/add-sae.svelte'),
  popover('the variants', 'variants', 'components/prompt/variants-choice.svelte'),
  popover('the reading', 'reading', 'components/prompt/reading.svelte'),
  popover('weight processing', 'chip-processing', 'components/prompt/processing-chip.svelte'),
  popover('the prompt library', 'prompt-library', 'components/prompt/prompt-library.svelte'),
  popover('the export menu', 'export', 'components/export-menu/export-menu.svelte'),
  {
    name: 'the folder dialog',
    shows: ['components/folder-dialog.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await choose(page, 'mode-text')
      await page.getByTestId('model-picker').click()
      await page.getByTestId('open-folder').click()
      await page.getByTestId('folder-path').fill(join(root, 'fixtures/golden/models'))
      await page.getByTestId('folder-path').press('Enter')
      await page.getByTestId('folder-entries').getByText('gpt2-tiny').first().waitFor()
    }
  },
  {
    name: 'the evaluation dialog with its result',
    shows: ['components/evaluation/evaluation-dialog.svelte'],
    reach: async (page, grounds) => {
      const text = join(grounds.folder, 'evaluated.txt')
      writeFileSync(text, readFileSync(join(root, 'resources/demo/explanations/2-demo-res-1k.json'), 'utf8').slice(0, 4000))
      await go(page, grounds, 'compare')
      await page.getByTestId('sae-picker-l0_15').click()
      await page.getByTestId('sae-evaluate').click()
      await page.getByTestId('evaluation-file').fill(text)
      await page.getByTestId('evaluation-context').fill('64')
      await page.getByTestId('evaluation-start').click()
      await page.getByTestId('evaluation-result').waitFor()
    }
  },
  {
    name: 'the harvest dialog before it begins',
    shows: ['components/harvest/harvest-dialog.svelte', 'components/harvest/harvest-plan-note.svelte'],
    reach: async (page, grounds) => {
      const text = join(grounds.folder, 'harvested.txt')
      writeFileSync(text, `${wormhole}\nOnce upon a time there was a fox.\n`)
      await go(page, grounds, 'explanations/sources')
      await page.getByTestId('harvest-open').click()
      await page.getByTestId('harvest-texts').fill(text)
      await page.getByTestId('harvest-tokens').fill('5000')
      await page.getByTestId('harvest-plan').waitFor()
    }
  },
  {
    name: "a source of one's own, harvested, and what is not ended",
    shows: ['components/harvest/harvest-dialog.svelte', 'components/harvest/unfinished-harvests.svelte'],
    reach: async (page, grounds) => {
      const texts = ['harvested.txt', 'unended.jsonl'].map(name => join(grounds.folder, name))
      writeFileSync(texts[0] ?? '', `${wormhole}\n`)
      writeFileSync(texts[1] ?? '', `${JSON.stringify({ text: wormhole })}\n`.repeat(40_000))
      await go(page, grounds, 'explanations/sources')
      await page.getByTestId('harvest-open').click()
      await page.getByTestId('harvest-texts').fill(texts[1] ?? '')
      await page.getByTestId('harvest-tokens').fill('500000')
      await page.getByTestId('harvest-start').click()
      await page.getByTestId('harvest-progress').getByText('tokens/s').waitFor()
      await page.getByTestId('harvest-cancel').click()
      await page.getByTestId('harvest-unfinished').waitFor()
      await page.getByTestId('harvest-texts').fill(texts[0] ?? '')
      await page.getByTestId('harvest-plan').waitFor()
      await page.getByTestId('harvest-start').click()
      await page.getByTestId('harvest-result').waitFor()
    }
  },
  {
    name: 'the check of an SAE',
    shows: ['components/sae-check/check-dialog.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await page.getByTestId('sae-picker-l0_15').click()
      await page.getByTestId('sae-check').click()
      await page.getByTestId('check-own-text').click()
      await page.getByTestId('check-verdict').waitFor()
    }
  },
  {
    name: 'Features, with one followed',
    shows: ['views/features/features.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'features')
      await page.getByTestId('ranking').locator('[data-feature]').first().click()
      await page.getByTestId('followed').waitFor()
      await page.getByTestId('heatmap').waitFor()
    }
  },
  {
    name: 'Features, the heat map as a table',
    shows: ['views/features/features.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'features')
      await page.getByTestId('ranking').locator('[data-feature]').first().waitFor()
      await page.getByTestId('heat-table').click()
      await page.getByTestId('firing-table').waitFor()
    }
  },
  {
    name: 'Explanations, before a search',
    shows: ['views/explanations/explanations.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'explanations')
      await page.getByTestId('search-start').waitFor()
    }
  },
  {
    name: 'Explanations, hits',
    shows: ['views/explanations/explanations.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'explanations')
      await typeSearch(page, 'decept')
      await page.getByTestId('hit-0').waitFor()
      await page.getByTestId('facets').waitFor()
    }
  },
  {
    name: 'Explanations, kept searches',
    shows: ['views/explanations/search/kept-searches.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'explanations')
      await typeSearch(page, 'decept')
      await page.getByTestId('hit-0').waitFor()
      await page.getByTestId('kept-searches').click()
      await page.getByTestId('save-search-name').waitFor()
    }
  },
  {
    name: 'Explanations, exporting hits',
    shows: ['views/explanations/search/export-menu.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'explanations')
      await typeSearch(page, 'decept')
      await page.getByTestId('hit-0').waitFor()
      await page.getByTestId('export-open').click()
      await page.getByTestId('copy-hits').waitFor()
    }
  },
  {
    name: 'Explanations, words with a mistake',
    shows: ['views/explanations/explanations.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'explanations')
      await page.getByTestId('mode-words').click()
      await typeSearch(page, 'decept* AND (time')
      await page.getByTestId('query-problem').waitFor()
    }
  },
  {
    name: 'Explanations, nothing found',
    shows: ['views/explanations/explanations.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'explanations')
      await page.getByTestId('mode-substring').click()
      await typeSearch(page, 'qqqqqq')
      await page.getByTestId('no-hits').waitFor()
    }
  },
  {
    name: 'Explanations, sources',
    shows: ['views/explanations/explanations.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'explanations/sources')
      await page.getByTestId('source-demo-gemma2-tiny/2-demo-res-1k').click()
      await page.getByTestId('overview-rows').waitFor()
    }
  },
  {
    name: 'the import dialog with rejected rows',
    shows: ['views/explanations/sources/import-dialog.svelte'],
    reach: async (page, grounds) => {
      const rows = [
        { modelId: 'demo', layer: '0-res', index: '1', description: 'time', explanationModelName: 'me', typeName: 'own' },
        { modelId: 'demo', layer: '0-res', index: 'x', description: 'no index', explanationModelName: 'me', typeName: 'own' }
      ]
      const file = join(grounds.folder, 'rows.jsonl')
      writeFileSync(file, rows.map(row => JSON.stringify(row)).join('\n'))
      await go(page, grounds, 'explanations/sources')
      await page.getByTestId('import-open').click()
      await page.getByTestId('import-path').fill(file)
      await page.getByTestId('import-start').click()
      await page.getByTestId('rejects').locator('tbody tr').first().waitFor()
    }
  },
  {
    name: 'the sync dialog',
    shows: ['views/explanations/sources/sync-dialog.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'explanations/sources')
      await page.getByTestId('sync-open').click()
      await page.locator('summary', { hasText: 'Where from' }).click()
      await page.getByTestId('sync-endpoint').waitFor()
    }
  },
  {
    name: 'the backup dialog',
    shows: ['views/explanations/sources/backup-dialog.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'explanations/sources')
      await page.getByTestId('mirror-backup').click()
      await page.getByTestId('backup-folder').waitFor()
    }
  },
  {
    name: 'a feature page',
    shows: ['views/feature/feature.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, `feature/${feature}`)
      await page.getByTestId('feature-explanations').waitFor()
      await page.getByTestId('note').fill('a note')
      await page.getByTestId('note-kept').waitFor()
      await page.getByTestId('mark-new-list').fill('stems')
      await page.getByTestId('mark-new-list').press('Enter')
      await page.getByTestId('mark-stems').waitFor()
    }
  },
  {
    name: 'a feature that is not there',
    shows: ['views/feature/feature.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'feature/demo-gemma2-tiny/9-nothing/1')
      await page.getByText('9-nothing').first().waitFor()
    }
  },
  {
    name: 'Lists',
    shows: ['views/explanations/explanations.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'explanations/lists')
      await page.getByTestId('list-stems').click()
      await page.getByTestId(`entry-${feature}`).waitFor()
    }
  },
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
  },
  {
    name: 'Library, this disk',
    shows: ['views/library/library.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'library')
      await page.locator(`[data-testid="disk-model"][data-path="${demo.model}"]`).click()
      await page.getByTestId('model-config').waitFor()
    }
  },
  {
    name: 'Library, an SAE',
    shows: ['views/library/library.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'library')
      await page.locator('[data-testid="disk-sae"][data-path$="demo-scope-res/layer_1/width_1k/average_l0_15"]').click()
      await page.getByTestId('sae-config').waitFor()
    }
  },
  {
    name: 'Library, its folders',
    shows: ['views/library/folders-popover.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'library')
      await page.getByTestId('library-folders').click()
      await page.getByTestId('folder-add').waitFor()
    }
  },
  {
    name: 'Library, the download dialog',
    shows: ['views/library/download-dialog.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'library')
      await page.getByTestId('download-open').click()
      await page.getByTestId('download-repo').waitFor()
    }
  },
  {
    name: 'Library, published',
    shows: ['views/library/library.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'library/published')
      await page.getByTestId('published-model').selectOption('gemma-2-2b')
      await page.getByTestId('family-gemma-scope-2b-pt').click()
      await page.locator('[data-testid="mark"][data-key="google/gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71"]').click()
      await page.getByTestId('published-panel').waitFor()
    }
  },
  {
    name: 'Library, the table of releases',
    shows: ['views/library/catalogue-popover.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'library/published')
      await page.getByTestId('catalogue').click()
      await page.getByTestId('catalogue-path').waitFor()
    }
  },
  {
    name: 'Settings',
    shows: ['views/settings/settings.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'settings')
      await page.getByTestId('cache-size').waitFor()
    }
  },
  {
    name: 'Settings, the providers tried',
    shows: ['views/settings/provider-check.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'settings')
      if ((await page.getByTestId('doctor-report').count()) === 0) await page.getByTestId('doctor-look').click()
      await page.getByTestId('doctor-report').waitFor({ timeout: 60_000 })
    }
  },
  {
    name: 'the tour',
    shows: ['components/tour/tour.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'settings')
      await page.getByTestId('take-tour').click()
      await page.getByTestId('tour').waitFor()
    }
  },
  {
    name: 'the menu of the window',
    shows: ['components/shell/window-menu.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await page.getByTestId('menu').click()
      await page.getByTestId('menu-View').waitFor()
    }
  },
  {
    name: 'the palette',
    shows: ['components/palette/palette.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await page.getByTestId('palette-open').click()
      await page.getByTestId('palette-query').fill('run')
      await page.getByTestId('palette-item').first().waitFor()
    }
  },
  {
    name: 'the shortcuts',
    shows: ['components/shell/shortcuts-dialog.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await openByPalette(page, 'Keyboard shortcuts')
      await page.getByTestId('shortcuts').waitFor()
    }
  },
  {
    name: 'About',
    shows: ['components/shell/about-dialog.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await openByPalette(page, 'About')
      await page.getByTestId('about').waitFor()
    }
  },
  {
    name: 'the licenses',
    shows: ['components/shell/about-dialog.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await openByPalette(page, 'About')
      await page.getByTestId('about-licenses').click()
      await page.getByTestId('licenses').locator('summary', { hasText: /^zod / }).click()
    }
  },
  {
    name: 'the diagnostics',
    shows: ['components/shell/diagnostics-dialog.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'compare')
      await openByPalette(page, 'Diagnostics')
      await page.getByTestId('diagnostics').getByText('Files of the home').waitFor()
    }
  },
  {
    name: 'a view that is not there',
    shows: ['app.svelte'],
    reach: async (page, grounds) => {
      await go(page, grounds, 'nowhere')
      await page.getByText('There is no view called').waitFor()
    }
  },
  {
    name: 'the lever of a feature',
    shows: ['components/lever/lever-popover.svelte'],
    reach: async (page, grounds) => {
      await openLever(page, grounds)
      await choose(page, 'lever-steer')
      await page.getByTestId('lever-strengths').waitFor()
    }
  },
  {
    name: 'Compare, with edited features and their menu',
    shows: ['views/compare/compare.svelte'],
    reach: async (page, grounds) => {
      await openLever(page, grounds)
      await afterRun(page, () => page.getByTestId('lever-add').click())
      await page.keyboard.press('Escape')
      await page.getByTestId('variants').click()
      await page.locator('[data-testid^="column-"]').first().waitFor()
    }
  }
]
