/** The library, the settings, and what belongs to the whole window. */
import { demo } from '../../command-line.ts'
import { afterRun } from '../../workbench.ts'
import { choose, go, openByPalette, openLever, type ViewState } from './steps.ts'

export const windowStates: readonly ViewState[] = [
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
