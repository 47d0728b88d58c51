/** Log-probs of the baseline against those of the other variants, a point per token, as an ECharts option. */
import { finiteOrNull } from '../state/numbers.ts'
import type { EChartsCoreOption } from './echarts.ts'
import type { ChartColors } from './position-option.ts'
import type { PositionSeries } from './position-series.ts'

/** A token under the baseline (x) and a variant (y), in nats. */
export type ScatterPoint = { variant: string; position: number; x: number; y: number }

const symbols = ['circle', 'rect', 'triangle', 'diamond', 'roundRect', 'arrow']

/** The points of every variant but the baseline, which is the first; tokens without a finite log-prob in both have none. */
export function scatterPoints({ tokens, variants: [baseline, ...others] }: PositionSeries): ScatterPoint[] {
  return others.flatMap(({ name, logProbs }) =>
    tokens.flatMap((_, position) => {
      const x = finiteOrNull(baseline?.logProbs[position])
      const y = finiteOrNull(logProbs[position])
      return x === null || y === null ? [] : [{ variant: name, position, x, y }]
    })
  )
}

/** The option; `alone` adds the names of the variants for a picture that stands alone. */
export function scatterOption(series: PositionSeries, colors: ChartColors, alone: boolean): EChartsCoreOption {
  const points = scatterPoints(series)
  const [baseline, ...others] = series.variants
  const least = Math.floor(Math.min(-1, ...points.flatMap(({ x, y }) => [x, y])))
  const axisText = { color: colors.muted, fontSize: 12, fontFamily: colors.font }
  const axis = {
    type: 'value' as const,
    min: least,
    max: 0,
    nameLocation: 'middle' as const,
    nameTextStyle: axisText,
    axisLabel: axisText,
    splitLine: { lineStyle: { color: colors.line } }
  }
  return {
    animation: false,
    backgroundColor: alone ? colors.panel : 'transparent',
    textStyle: { fontFamily: colors.font, fontSize: 12 },
    ...(alone ? { legend: { top: 8, textStyle: { color: colors.text }, data: others.map(({ name }) => name) } } : {}),
    grid: { left: 64, right: 16, top: alone ? 40 : 12, bottom: 44, outerBoundsMode: 'none' },
    xAxis: { ...axis, name: `log-p ${baseline?.name ?? ''}, nats`, nameGap: 26 },
    yAxis: { ...axis, name: 'log-p, nats', nameGap: 40 },
    series: [
      {
        type: 'line',
        name: 'equal',
        data: [
          [least, least],
          [0, 0]
        ],
        showSymbol: false,
        silent: true,
        lineStyle: { color: colors.muted, width: 1, type: 'dashed' }
      },
      ...others.map(({ name, color, dashed }, at) => ({
        type: 'scatter',
        name,
        data: points.filter(({ variant }) => variant === name).map(({ x, y }) => [x, y]),
        symbol: symbols[at % symbols.length],
        symbolSize: series.tokens.length > 500 ? 4 : 7,
        silent: true,
        itemStyle: {
          color: dashed ? 'transparent' : colors.variant(color),
          borderColor: colors.variant(color),
          borderWidth: dashed ? 1.5 : 0,
          opacity: 0.8
        }
      }))
    ]
  }
}

/** The point nearest to a place, by distance in pixels, within a reach; null where none is. */
export function nearestPoint<P>(
  points: readonly P[],
  at: { x: number; y: number },
  pixelOf: (point: P) => readonly [number, number],
  reach: number
): P | null {
  let best: P | null = null
  let distance = reach
  for (const point of points) {
    const [x, y] = pixelOf(point)
    const away = Math.hypot(x - at.x, y - at.y)
    if (away <= distance) [best, distance] = [point, away]
  }
  return best
}
