/** What is published of a family as a picture that stands alone: every site with its bands, their marks, scales and layers, and a legend. */
import { type PictureKind, pictureFile } from '../../charts/heatmap/picture-file.ts'
import type { Surface } from '../../charts/heatmap/surface.ts'
import { theme } from '../../state/theme.svelte.ts'
import { type Band, heightOf, type SitePicture, siteNames, stateOf } from './bands.ts'

const margin = 16
const labels = 56
const scales = 48
const headHeight = 28
const bandHeight = 84
const layersHeight = 20
const siteGap = 12
const legendHeight = 32
const columnWidth = 30
const leastWidth = 640
/** Room above and below the marks of a band. */
const padding = 5

type State = ReturnType<typeof stateOf>
const stateNames: readonly [State, string][] = [
  ['none', 'no source'],
  ['source', 'source on Neuronpedia'],
  ['explained', 'explanations here']
]

function colorOf(state: State): string {
  return theme.color(state === 'explained' ? '--sequential-5' : state === 'source' ? '--sequential-3' : '--text-faint')
}

/** The sites as a file, under the theme in force; `title` names model and family. */
export function sitesPicture(kind: PictureKind, title: string, sites: readonly SitePicture[]): Promise<Blob> {
  const fonts = { sans: theme.color('--font-sans'), mono: theme.color('--font-mono') }
  const columns = Math.max(1, ...sites.map(site => site.columns.length))
  const width = Math.max(leastWidth, 2 * margin + labels + columns * columnWidth + scales)
  const heightOfSite = ({ bands }: SitePicture) => headHeight + bands.length * (bandHeight + 2) + layersHeight + siteGap
  const height = 2 * margin + headHeight + sites.reduce((sum, site) => sum + heightOfSite(site), 0) + legendHeight
  const draw = (surface: Surface) => {
    surface.text(margin, margin + 10, title, { color: theme.color('--text'), size: 15, bold: true })
    let top = margin + headHeight
    for (const site of sites) {
      drawSite(surface, site, top)
      top += heightOfSite(site)
    }
    drawLegend(surface, top + legendHeight / 2)
  }
  return pictureFile(kind, { width, height, background: theme.color('--panel'), fonts, draw })
}

function drawSite(surface: Surface, site: SitePicture, top: number): void {
  const muted = { color: theme.color('--text-muted'), size: 12 }
  const { short, long } = siteNames[site.site]
  surface.text(margin, top + headHeight / 2, short, { color: theme.color('--text'), size: 13, bold: true })
  surface.text(margin + labels, top + headHeight / 2, `${long}; mean L0 upwards, layers to the right`, muted)
  for (const [at, band] of site.bands.entries()) drawBand(surface, site, band, top + headHeight + at * (bandHeight + 2))
  const foot = top + headHeight + site.bands.length * (bandHeight + 2) + layersHeight / 2
  for (const [at, layer] of site.columns.entries()) {
    const name = layer === null ? '?' : layer === -1 ? 'emb' : String(layer)
    surface.text(margin + labels + (at + 0.5) * columnWidth, foot, name, { ...muted, mono: true, align: 'center' })
  }
}

function drawBand(surface: Surface, { columns, scale }: SitePicture, { width, marks }: Band, top: number): void {
  const left = margin + labels
  const right = left + columns.length * columnWidth
  const mono = { color: theme.color('--text-muted'), size: 12, mono: true }
  const yOf = (share: number) => top + padding + (1 - share) * (bandHeight - 2 * padding)
  surface.text(left - 8, top + bandHeight / 2, width ?? '–', { ...mono, align: 'right' })
  for (const at of columns.keys())
    if (at % 2 === 1) surface.rect(left + at * columnWidth, top, columnWidth, bandHeight, theme.color('--hover'))
  for (const tick of scale?.ticks ?? []) {
    if (scale === null) continue
    const y = yOf(heightOf(tick, scale))
    surface.rect(left, y - 0.5, right - left, 1, theme.color('--line'))
    surface.text(right + 6, y, String(tick), mono)
  }
  const abreast = Math.max(1, ...marks.map(mark => mark.abreast))
  const markWidth = Math.max(2, Math.min(26, (columnWidth - 4) / abreast - (abreast > 1 ? 1 : 0)))
  for (const mark of marks) {
    const x = left + mark.column * columnWidth + (columnWidth - mark.abreast * (markWidth + 1) + 1) / 2 + mark.shift * (markWidth + 1)
    const y = yOf(mark.y)
    if (mark.sae.diskPath !== null) surface.outline(x - 1.5, y - 4.5, markWidth + 3, 9, theme.color('--accent'), 1.5)
    surface.rect(x, y - 1.5, markWidth, 3, colorOf(stateOf(mark.sae)))
  }
  surface.outline(left + 0.5, top + 0.5, right - left - 1, bandHeight - 1, theme.color('--line'), 1)
}

function drawLegend(surface: Surface, middle: number): void {
  const text = { color: theme.color('--text-muted'), size: 12 }
  let x = margin
  for (const [state, name] of stateNames) {
    surface.rect(x, middle - 1.5, 16, 3, colorOf(state))
    surface.text(x + 22, middle, name, text)
    x += 160
  }
  surface.outline(x, middle - 4.5, 16, 9, theme.color('--accent'), 1.5)
  surface.text(x + 22, middle, 'on this disk', text)
}
