/** The parts of ECharts that the charts use, and nothing else of it. Its HTML tooltips stay out: a strict style-src forbids them. */
import { BarChart, LineChart, ScatterChart } from 'echarts/charts'
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components'
import { init, use } from 'echarts/core'
import { CanvasRenderer, SVGRenderer } from 'echarts/renderers'

use([BarChart, LineChart, ScatterChart, GridComponent, LegendComponent, TitleComponent, CanvasRenderer, SVGRenderer])

export type { EChartsCoreOption, EChartsType } from 'echarts/core'
export { init }
