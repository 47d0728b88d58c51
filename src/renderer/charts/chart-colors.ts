/** The colours of charts under the theme in force. */
import { theme } from '../state/theme.svelte.ts'
import type { ChartColors } from './position-option.ts'

/** Reads the theme, so that whoever derives from it follows a switch. */
export function chartColors(): ChartColors {
  return {
    text: theme.color('--text'),
    muted: theme.color('--text-muted'),
    line: theme.color('--line'),
    panel: theme.color('--panel'),
    variant: variable => theme.color(variable),
    font: theme.color('--font-sans')
  }
}
