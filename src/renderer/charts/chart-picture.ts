/** A chart as a picture that stands alone, drawn without being on screen. */
import { type EChartsType, init } from './echarts.ts'

/** What a chart offers to who wants its picture. */
export interface ChartExport {
  png(): Promise<Blob>
  svg(): Promise<Blob>
}

/** What is drawn: the chart's option with its own legend and title, and a size in pixels. */
export interface ChartPicture {
  readonly option: Parameters<EChartsType['setOption']>[0]
  readonly width: number
  readonly height: number
}

/** The picture as the text of an SVG. */
export function chartSvg({ option, width, height }: ChartPicture): string {
  const drawn = init(null, null, { renderer: 'svg', ssr: true, width, height })
  try {
    drawn.setOption(option)
    return drawn.renderToSVGString()
  } finally {
    drawn.dispose()
  }
}

/** The picture as a PNG of twice the screen's density. Throws where the browser makes none. */
export async function chartPng({ option, width, height }: ChartPicture): Promise<Blob> {
  const drawn = init(document.createElement('div'), null, { renderer: 'canvas', width, height, devicePixelRatio: 2 })
  try {
    drawn.setOption(option)
    const blob = await new Promise<Blob | null>(resolve => drawn.renderToCanvas({ pixelRatio: 2 }).toBlob(resolve, 'image/png'))
    if (blob === null) throw new Error('The browser made no PNG of the chart.')
    return blob
  } finally {
    drawn.dispose()
  }
}

/** Offers a chart's picture, as it is when it is asked for. */
export function chartExport(picture: () => ChartPicture): ChartExport {
  return {
    png: () => chartPng(picture()),
    svg: async () => new Blob([chartSvg(picture())], { type: 'image/svg+xml' })
  }
}
