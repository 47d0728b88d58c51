/** The colours of charts under the theme in force. */
import { theme } from '../state/theme.svelte.ts'
import type { ChartColors } from './position-option.ts'

/** The interface's typeface. ECharts writes it into attributes of an SVG as it is, so it must not hold their quotation mark. */
export function chartFont(): string {
  return theme.color('--font-sans').replaceAll('"', "'")
}

/** Reads the theme, so that whoever derives from it follows a switch. */
export function chartColors(): ChartColors {
  return {
    text: theme.color('--text'),
    muted: theme.color('--text-muted'),
    line: theme.color('--line'),
    panel: theme.color('--panel'),
    variant: variable => theme.color(variable),
    font: chartFont()
  }
}
