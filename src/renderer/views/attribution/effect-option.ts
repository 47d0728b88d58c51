/** Effects above and activations below, a pair of bars for each feature, as an ECharts option. */
import type { AttributionResult, FeatureEffect } from '../../../contract/attribution.ts'
import { describeQuantity } from '../../../contract/quantity.ts'
import type { EChartsCoreOption } from '../../charts/echarts.ts'
import { finiteOrNull } from '../../state/numbers.ts'

export type EffectColors = {
  text: string
  muted: string
  line: string
  panel: string
  /** Effects below and above zero, and activations. */
  below: string
  above: string
  activation: string
  font: string
}

/** What the effects are in. */
export function unitOf({ quantity: { kind } }: AttributionResult): string {
  return kind === 'logit-difference' ? 'logits' : 'nats'
}

/** The option for features in the order given; `alone` adds a title for a picture that stands alone. */
export function effectOption(
  effects: readonly FeatureEffect[],
  result: AttributionResult,
  colors: EffectColors,
  alone: boolean
): EChartsCoreOption {
  const isEach = result.scope === 'each'
  const labels = effects.map(({ index, position }) => (isEach ? `${index}@${position ?? '-'}` : String(index)))
  const text = { color: colors.muted, fontSize: 12, fontFamily: colors.font }
  const top = alone ? 56 : 12
  const value = (name: string) => ({
    type: 'value' as const,
    name,
    nameLocation: 'middle' as const,
    nameGap: 48,
    nameTextStyle: text,
    axisLabel: text,
    splitNumber: 3,
    splitLine: { lineStyle: { color: colors.line } }
  })
  const category = {
    type: 'category' as const,
    data: labels,
    axisTick: { show: false },
    axisLine: { lineStyle: { color: colors.line }, onZero: false }
  }
  return {
    animation: false,
    backgroundColor: alone ? colors.panel : 'transparent',
    textStyle: { fontFamily: colors.font, fontSize: 12 },
    ...(alone
      ? {
          title: {
            text: describeQuantity(result.quantity, result.tokens),
            subtext: `${result.model.name}, ${result.sae.source ?? result.sae.name} at ${result.sae.hook}`,
            left: 12,
            top: 6,
            textStyle: { color: colors.text, fontSize: 13, fontFamily: colors.font },
            subtextStyle: text
          }
        }
      : {}),
    grid: [
      { left: 68, right: 16, top, height: alone ? 170 : '43%', outerBoundsMode: 'none' },
      { left: 68, right: 16, top: alone ? top + 190 : '58%', bottom: 40, outerBoundsMode: 'none' }
    ],
    xAxis: [
      { ...category, gridIndex: 0, axisLabel: { show: false } },
      {
        ...category,
        gridIndex: 1,
        axisLabel: { ...text, hideOverlap: true },
        name: isEach ? 'feature@position' : 'feature',
        nameLocation: 'middle',
        nameGap: 24,
        nameTextStyle: text
      }
    ],
    yAxis: [
      { ...value(`effect, ${unitOf(result)}`), gridIndex: 0 },
      { ...value('activation'), gridIndex: 1 }
    ],
    series: [
      {
        type: 'bar',
        name: 'effect',
        xAxisIndex: 0,
        yAxisIndex: 0,
        barCategoryGap: '20%',
        silent: true,
        data: effects.map(({ effect }) => {
          const number = finiteOrNull(effect)
          return { value: number, itemStyle: { color: (number ?? 0) < 0 ? colors.below : colors.above } }
        })
      },
      {
        type: 'bar',
        name: 'activation',
        xAxisIndex: 1,
        yAxisIndex: 1,
        barCategoryGap: '20%',
        silent: true,
        itemStyle: { color: colors.activation },
        data: effects.map(({ activation }) => finiteOrNull(activation))
      }
    ]
  }
}
