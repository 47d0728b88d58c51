/** Compare, and the dialogs and popovers that it opens. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { root } from '../../command-line.ts'
import { afterRun, runPrompt } from '../../workbench.ts'
import { choose, go, popover, type ViewState, wormhole } from './steps.ts'

export const compareStates: readonly ViewState[] = [
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
  }
]
