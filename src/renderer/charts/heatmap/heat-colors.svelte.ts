/** The heat map's colours under the theme in force. */
import { theme } from '../../state/theme.svelte.ts'
import type { PictureColors } from './drawing.ts'
import type { HeatPalette } from './heat-scale.ts'
import type { Fonts } from './surface.ts'

const diverging = ['--diverging-low', '--diverging-low-mid', '--diverging-zero', '--diverging-high-mid', '--diverging-high']
const sequential = ['--sequential-0', '--sequential-1', '--sequential-2', '--sequential-3', '--sequential-4', '--sequential-5']

class HeatColors {
  palette = $derived<HeatPalette>({
    diverging: diverging.map(name => theme.color(name)),
    sequential: sequential.map(name => theme.color(name)),
    masked: theme.color('--heat-masked'),
    infinite: theme.color('--heat-infinite'),
    notANumber: theme.color('--heat-nan')
  })

  picture = $derived<PictureColors>({
    text: theme.color('--text'),
    muted: theme.color('--text-muted'),
    faint: theme.color('--text-faint'),
    line: theme.color('--line-strong'),
    panel: theme.color('--panel'),
    accent: theme.color('--accent'),
    bar: theme.color('--variant-clean')
  })

  fonts = $derived<Fonts>({ sans: theme.color('--font-sans'), mono: theme.color('--font-mono') })
}

export const heatColors = new HeatColors()

const measuring = document.createElement('canvas').getContext('2d')

/** Width of a text in CSS pixels in the window's typefaces. */
export function measureText(text: string, size: number, mono: boolean): number {
  if (measuring === null) return text.length * size * 0.6
  measuring.font = `400 ${size}px ${mono ? heatColors.fonts.mono : heatColors.fonts.sans}`
  return measuring.measureText(text).width
}
