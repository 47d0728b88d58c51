/** The chart by position as SVG for a report, with the theme's variables for colours, so that it is right in both themes. */
import type { ChartColors } from '../charts/position-option.ts'
import { positionPicture } from '../charts/position-picture.ts'
import type { PositionSeries } from '../charts/position-series.ts'

/** Draws with a stand-in colour per variable, then puts the variables in their places: ECharts knows no variables. */
export async function reportChart(series: PositionSeries): Promise<string> {
  // ECharts is heavy and is no part of the first chunk.
  const { chartSvg } = await import('../charts/chart-picture.ts')
  const variables: string[] = []
  const standIn = (variable: string): string => {
    const known = variables.indexOf(variable)
    const at = known === -1 ? variables.push(variable) - 1 : known
    return `#fe${at.toString(16).padStart(2, '0')}c7`
  }
  const colors: ChartColors = {
    text: standIn('--text'),
    muted: standIn('--text-muted'),
    line: standIn('--line'),
    panel: standIn('--panel'),
    variant: standIn,
    font: 'sans-serif'
  }
  const svg = chartSvg(positionPicture(series, colors))
  return variables.reduce((text, variable) => text.replaceAll(standIn(variable), `var(${variable})`), svg)
}
