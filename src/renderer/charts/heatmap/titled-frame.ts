/** What a heat map's picture stands in: its title above, the scale with its numbers and notes below. */
import { drawLegend, legendNotes } from './drawing.ts'
import { heatColors, measureText } from './heat-colors.svelte.ts'
import { beyondOf, type HeatScale } from './heat-scale.ts'
import type { PictureFrame } from './picture-file.ts'

const titleSize = 13
const subtitleSize = 11
const margin = 24
/** A measured width may fall short of the one drawn. */
const slack = 1.1

/** The frame of a picture of `values` on a scale; `subtitle` is a second line in a smaller face. */
export function titledFrame(title: string, scale: HeatScale, values: Float32Array, subtitle = ''): PictureFrame {
  const colors = heatColors.picture
  const beyond = beyondOf(scale, values)
  const legend = legendNotes(scale, beyond).reduce((width, { text }) => width + 31 + measureText(text, subtitleSize, false), 260)
  return {
    above: subtitle === '' ? 28 : 44,
    below: 44,
    width: margin + Math.max(slack * measureText(title, titleSize, true), measureText(subtitle, subtitleSize, false), legend),
    draw: (surface, foot) => {
      surface.text(10, 14, title, { color: colors.text, size: titleSize, mono: true, bold: true })
      if (subtitle !== '') surface.text(10, 31, subtitle, { color: colors.muted, size: subtitleSize })
      drawLegend(surface, margin, foot + 10, scale, beyond, colors, measureText)
    }
  }
}
