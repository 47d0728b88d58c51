/** The chart by position as a file that stands alone, drawn without being on screen. */
import { type EChartsType, init } from './echarts.ts'
import { type ChartColors, positionOption } from './position-option.ts'
import type { PositionSeries } from './position-series.ts'

const width = 1200
const height = 480

/** The chart as the text of an SVG. */
export function positionSvg(series: PositionSeries, colors: ChartColors): string {
  const picture = init(null, null, { renderer: 'svg', ssr: true, width, height })
  try {
    picture.setOption(positionOption(series, colors, true))
    return picture.renderToSVGString()
  } finally {
    picture.dispose()
  }
}

/** The chart as a PNG of twice the screen's density. Throws where the browser makes none. */
export async function positionPng(series: PositionSeries, colors: ChartColors): Promise<Blob> {
  const picture: EChartsType = init(document.createElement('div'), null, { renderer: 'canvas', width, height, devicePixelRatio: 2 })
  try {
    picture.setOption(positionOption(series, colors, true))
    const blob = await new Promise<Blob | null>(resolve => picture.renderToCanvas({ pixelRatio: 2 }).toBlob(resolve, 'image/png'))
    if (blob === null) throw new Error('The browser made no PNG of the chart.')
    return blob
  } finally {
    picture.dispose()
  }
}
