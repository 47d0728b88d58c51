/** The chart by position as a picture that stands alone. */
import type { ChartPicture } from './chart-picture.ts'
import { type ChartColors, positionOption } from './position-option.ts'
import type { PositionSeries } from './position-series.ts'

export function positionPicture(series: PositionSeries, colors: ChartColors): ChartPicture {
  return { option: positionOption(series, colors, true), width: 1200, height: 480 }
}
