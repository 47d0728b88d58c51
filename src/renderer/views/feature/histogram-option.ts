/** A feature's histograms, of its activations and of its logit effects, as ECharts options. */
import type { EChartsCoreOption } from '../../charts/echarts.ts'
import { toTsv } from '../../components/tsv.ts'
import { formatActivation, formatDifference } from '../../state/numbers.ts'

/** A bar: `value` is the middle of its bin, `count` how many tokens fell into it. */
export type HistogramBar = { value: number; count: number }
/** What a histogram is of: the words for its axes and tips, and how its values are written. */
export type HistogramKind = { axis: string; counted: string; around: string; write: (value: number) => string }
export const activationKind: HistogramKind = { axis: 'activation', counted: 'tokens', around: 'activation around', write: formatActivation }
export const logitKind: HistogramKind = {
  axis: 'logit effect',
  counted: 'tokens of the vocabulary',
  around: 'logit effect around',
  write: formatDifference
}

export type HistogramColors = { text: string; muted: string; line: string; panel: string; bar: string; font: string }

/** The option; `alone` is for a picture outside the page, with a title and a background. */
export function histogramOption(
  bars: readonly HistogramBar[],
  kind: HistogramKind,
  colors: HistogramColors,
  alone: { title: string } | null
): EChartsCoreOption {
  const axisText = { color: colors.muted, fontSize: 12, fontFamily: colors.font }
  return {
    animation: false,
    backgroundColor: alone === null ? 'transparent' : colors.panel,
    textStyle: { fontFamily: colors.font, fontSize: 12 },
    grid: { left: 48, right: 8, top: alone === null ? 10 : 36, bottom: 40 },
    xAxis: {
      type: 'category',
      data: bars.map(bar => kind.write(bar.value)),
      name: alone === null ? kind.axis : `${kind.axis} of ${alone.title}`,
      nameLocation: 'middle',
      nameGap: 24,
      nameTextStyle: axisText,
      axisLabel: { ...axisText, hideOverlap: true },
      axisLine: { lineStyle: { color: colors.line } },
      axisTick: { show: false }
    },
    yAxis: {
      type: 'value',
      name: 'tokens',
      nameLocation: 'middle',
      nameGap: 36,
      nameTextStyle: axisText,
      axisLabel: { ...axisText, formatter: shortCount },
      splitLine: { lineStyle: { color: colors.line } },
      splitNumber: 3
    },
    series: [
      {
        type: 'bar',
        data: bars.map(bar => bar.count),
        barCategoryGap: '8%',
        barMinHeight: 1,
        silent: true,
        itemStyle: { color: colors.bar }
      }
    ]
  }
}

/** A count as an axis says it, e.g. `12k`. */
function shortCount(count: number): string {
  if (count >= 1e6) return `${count / 1e6}M`
  return count >= 10_000 ? `${count / 1e3}k` : String(count)
}

/** The histogram as tab-separated values, a row per bin. */
export function histogramTsv(bars: readonly HistogramBar[], kind: HistogramKind): string {
  return toTsv(
    [kind.axis, kind.counted],
    bars.map(bar => [String(bar.value), String(bar.count)])
  )
}
