/** The style of a report: both themes by the system's choice, and the steps of the colour scales as classes. */
import { scaleOf } from '../charts/scales.ts'
import type { ThemeVariables } from './theme-variables.ts'

/** How many steps a scale has. */
export const scaleSteps = 32

const sequential = ['--sequential-0', '--sequential-1', '--sequential-2', '--sequential-3', '--sequential-4', '--sequential-5']
const diverging = ['--diverging-low', '--diverging-low-mid', '--diverging-zero', '--diverging-high-mid', '--diverging-high']

/** The class of a share from 0 to 1 on a scale. */
export function stepClass(scale: 'p' | 'd', share: number): string {
  return `${scale}${Math.round(Math.min(Math.max(share, 0), 1) * scaleSteps)}`
}

function steps(variables: ThemeVariables['light']): string {
  const rules = (scale: string, stops: readonly string[]) => {
    const fill = scaleOf(stops.map(name => variables[name] ?? '#888888'))
    return Array.from({ length: scaleSteps + 1 }, (_, step) => {
      const { background, color } = fill(step / scaleSteps)
      return `.${scale}${step}{background:${background};color:${color}}`
    }).join('')
  }
  return rules('p', sequential) + rules('d', diverging)
}

const shared = `
*{box-sizing:border-box}
body{margin:0 auto;max-width:1200px;padding:24px;background:var(--panel);color:var(--text);font:13px/20px var(--font-sans);font-variant-numeric:tabular-nums}
h1{margin:0;font-size:20px;line-height:28px;overflow-wrap:anywhere}
h2{margin:28px 0 8px;font-size:15px}
h3{margin:16px 0 4px;font-size:13px}
p{margin:4px 0}
.muted,th,dt,summary{color:var(--text-muted)}
.mono,td,dd,pre{font-family:var(--font-mono);font-size:12px}
.text{font-family:var(--font-sans);font-size:13px}
pre{white-space:pre-wrap;overflow-wrap:anywhere;padding:8px 12px;border:1px solid var(--line);border-radius:4px}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:2px 16px;margin:12px 0}
dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse}
th{font:500 12px/20px var(--font-sans);text-align:left;vertical-align:bottom}
th,td{padding:2px 16px 2px 0;border-bottom:1px solid var(--line)}
.n{text-align:right;white-space:nowrap}
td.token{white-space:pre}
.wide{overflow-x:auto}
.strip{display:grid;grid-template-columns:minmax(88px,max-content) minmax(0,1fr) max-content;gap:4px 12px;margin:6px 0}
.strip b{font-weight:500;font-family:var(--font-mono);font-size:12px;line-height:24px}
.strip b i{display:inline-block;width:12px;margin-right:6px;border-top:3px solid;vertical-align:middle}
.boxes{display:flex;flex-wrap:wrap;gap:2px}
.boxes>span{height:24px;padding:0 5px;border-radius:2px;font:13px/24px var(--font-mono);white-space:pre;box-shadow:inset 0 0 0 1px var(--line)}
.boxes small{font-size:11px}
.sign{opacity:.5}
.legend{display:flex;flex-wrap:wrap;gap:4px 24px;margin:8px 0}
.ramp{display:inline-flex;vertical-align:middle;margin:0 6px;box-shadow:0 0 0 1px var(--line)}
.ramp i{width:6px;height:10px}
figure{margin:12px 0}
svg{max-width:100%;height:auto}
details{margin:8px 0}
summary{cursor:pointer;font-weight:500}
a{color:var(--accent)}
footer{margin-top:32px;padding-top:8px;border-top:1px solid var(--line);color:var(--text-muted);font-size:12px}
@media print{body{max-width:none;padding:0}details{break-inside:avoid}}
`

/** The whole style sheet; variables are written as they stand in the theme. */
export function reportStyle({ light, dark }: ThemeVariables): string {
  const root = (variables: ThemeVariables['light']) =>
    `:root{${Object.entries(variables)
      .filter(([, value]) => !/[<>{}]/.test(value))
      .map(([name, value]) => `${name}:${value}`)
      .join(';')}}`
  return `:root{color-scheme:light dark}${root(light)}${steps(light)}@media (prefers-color-scheme:dark){${root(dark)}${steps(dark)}}${shared}`
}
