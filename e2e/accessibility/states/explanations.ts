/** Features and what is said of them: the search, sources, feature pages, lists. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { feature, go, typeSearch, type ViewState } from './steps.ts'

export const explanationStates: readonly ViewState[] = [
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
  }
]
