/** The chart of log-prob (lines, above), KL (bars) and L0 (lines, below) by position, as an ECharts option. */
import { finiteOrNull } from '../state/numbers.ts'
import type { EChartsCoreOption } from './echarts.ts'
import type { PositionSeries } from './position-series.ts'

export type ChartColors = { text: string; muted: string; line: string; panel: string; variant: (variable: string) => string; font: string }

/** Labels of the position axis: what is typed, with spaces and line ends made visible. */
function tokenLabel(text: string): string {
  return text.replaceAll('\n', '⏎').replaceAll('\t', '→').replace(/^ /, '').replace(/^$/, '·')
}

/** The option; `title` adds the names of the lines for a picture that stands alone. */
export function positionOption({ tokens, variants, l0 }: PositionSeries, colors: ChartColors, alone: boolean): EChartsCoreOption {
  const labels = [...tokens.map(token => tokenLabel(token.text)), 'next']
  const compared = variants.filter(variant => variant.name !== 'clean')
  const axisText = { color: colors.muted, fontSize: 12, fontFamily: colors.font }
  const split = { lineStyle: { color: colors.line } }
  const category = {
    type: 'category' as const,
    data: labels,
    axisLine: { lineStyle: { color: colors.line } },
    axisTick: { show: false }
  }
  const top = alone ? 40 : 12
  const hasL0 = l0.length > 0
  const label = { ...axisText, interval: 'auto' as const, hideOverlap: true }
  const named = (name: string) => ({
    name,
    nameLocation: 'middle' as const,
    nameGap: 44,
    nameTextStyle: axisText,
    axisLabel: axisText,
    splitLine: split
  })
  return {
    animation: false,
    backgroundColor: alone ? colors.panel : 'transparent',
    textStyle: { fontFamily: colors.font, fontSize: 12 },
    ...(alone
      ? {
          legend: {
            top: 8,
            textStyle: { color: colors.text },
            data: [...variants.map(({ name }) => name), ...l0.map(({ sae }) => `L0 ${sae}`)]
          }
        }
      : {}),
    grid: [
      { left: 64, right: 8, top, outerBoundsMode: 'none', height: hasL0 ? '42%' : '52%' },
      { left: 64, right: 8, ...(hasL0 ? { top: '56%', height: '15%' } : { bottom: 28, height: '22%' }), outerBoundsMode: 'none' },
      ...(hasL0 ? [{ left: 64, right: 8, bottom: 28, outerBoundsMode: 'none', height: '13%' }] : [])
    ],
    xAxis: [
      { ...category, gridIndex: 0, axisLabel: { show: false } },
      { ...category, gridIndex: 1, axisLabel: hasL0 ? { show: false } : label },
      ...(hasL0 ? [{ ...category, gridIndex: 2, axisLabel: label }] : [])
    ],
    yAxis: [
      { type: 'value', gridIndex: 0, ...named('log-p'), splitNumber: 3, max: 0 },
      { type: 'value', gridIndex: 1, ...named('KL'), splitNumber: 2, min: 0 },
      ...(hasL0 ? [{ type: 'value' as const, gridIndex: 2, ...named('L0'), splitNumber: 1, min: 0, minInterval: 1 }] : [])
    ],
    series: [
      ...variants.map(({ name, color, dashed, logProbs }) => ({
        type: 'line',
        name,
        data: logProbs.map(finiteOrNull),
        symbol: 'circle',
        symbolSize: 5,
        showSymbol: tokens.length <= 80,
        connectNulls: false,
        silent: true,
        lineStyle: { color: colors.variant(color), width: dashed ? 1.5 : 2, type: dashed ? 'dashed' : 'solid' },
        itemStyle: { color: colors.variant(color) }
      })),
      ...compared.map(({ name, color, dashed, klDivergence }) => ({
        type: 'bar',
        name: `KL ${name}`,
        xAxisIndex: 1,
        yAxisIndex: 1,
        data: klDivergence.map(finiteOrNull),
        barMaxWidth: 14,
        // Bars of a long prompt are drawn as one shape.
        large: true,
        largeThreshold: 500,
        silent: true,
        itemStyle: { color: colors.variant(color), opacity: dashed ? 0.5 : 0.9 }
      })),
      ...l0.map(({ sae, color, values }) => ({
        type: 'line',
        name: `L0 ${sae}`,
        xAxisIndex: 2,
        yAxisIndex: 2,
        data: values,
        step: 'middle',
        showSymbol: false,
        silent: true,
        lineStyle: { color: colors.variant(color), width: 1.5 },
        itemStyle: { color: colors.variant(color) }
      }))
    ]
  }
}
