/** The charts' colours and typeface under the theme in force. */
import { theme } from '../state/theme.svelte.ts'
import type { ChartColors } from './position-option.ts'

class ThemeChartColors {
  colors = $derived<ChartColors>({
    text: theme.color('--text'),
    muted: theme.color('--text-muted'),
    line: theme.color('--line'),
    panel: theme.color('--panel'),
    variant: variable => theme.color(variable),
    font: theme.color('--font-sans')
  })
}

export const chartColors = new ThemeChartColors()
