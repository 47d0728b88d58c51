/**
 * The picture of what is published: for each site a band per width, layers from left to right, mean L0 upwards on a logarithmic scale.
 */
import type { PublishedSae, Site } from '../../../contract/releases.ts'

/** A mark in a band: `y` from 0 (bottom) to 1 (top); where several stand at one height it is the `shift`th of `abreast`. */
export type Mark = { sae: PublishedSae; column: number; y: number; shift: number; abreast: number }
export type Band = { width: string | null; marks: Mark[] }
export type SitePicture = { site: Site; columns: (number | null)[]; bands: Band[]; saes: number; scale: Scale | null }

/** The L0s that a band's height spans; null where no SAE of the site states one. */
export type Scale = { low: number; high: number; ticks: number[] }

export const siteNames: Record<Site, { short: string; long: string }> = {
  res: { short: 'res', long: 'residual stream' },
  att: { short: 'att', long: 'attention' },
  mlp: { short: 'mlp', long: 'MLP output' },
  transcoder: { short: 'transcoder', long: 'MLP input to MLP output' },
  clt: { short: 'clt', long: 'cross-layer transcoder' },
  other: { short: 'other', long: 'other activations' }
}
const siteOrder: Site[] = ['res', 'att', 'mlp', 'transcoder', 'clt', 'other']

/** A width's number, for the order: `16k`, `1m`, `24576`. */
export function widthValue(width: string | null): number {
  const found = /^(\d+)([km]?)$/.exec(width ?? '')
  if (found === null) return 0
  return Number(found[1]) * (found[2] === 'k' ? 1000 : found[2] === 'm' ? 1_000_000 : 1)
}

function scaleOf(saes: readonly PublishedSae[]): Scale | null {
  const values = saes.map(l0Of).filter(value => value !== null && value > 0) as number[]
  if (values.length === 0) return null
  const low = Math.min(...values)
  const high = Math.max(...values)
  // One value alone stands in the middle.
  const [from, to] = low === high ? [low / 2, high * 2] : [low / 1.3, high * 1.3]
  const ticks = [1, 10, 100, 1000, 10_000].filter(tick => tick > from && tick < to)
  return { low: from, high: to, ticks }
}

/** Mean L0 as its release states it, else as its name says. */
export function l0Of(sae: PublishedSae): number | null {
  if (sae.averageL0 !== null) return sae.averageL0
  const named = /^L0 (\d+(?:\.\d+)?)$/.exec(sae.variant)?.[1]
  return named === undefined ? null : Number(named)
}

/** Where a value stands on a scale, from 0 to 1. */
export function heightOf(value: number, { low, high }: Scale): number {
  return Math.log(value / low) / Math.log(high / low)
}

/** How near two heights are taken for one. */
const sameHeight = 1e-6

/** Marks of one layer and width: by L0; those without one in rows around the middle. What stands at one height stands side by side. */
function marksOf(saes: readonly PublishedSae[], column: number, scale: Scale | null): Mark[] {
  const without = saes.filter(sae => scale === null || l0Of(sae) === null)
  const rows = Math.ceil(Math.sqrt(without.length))
  const inRow = Math.max(1, Math.ceil(without.length / Math.max(1, rows)))
  const heights = saes.map(sae => {
    const l0 = l0Of(sae)
    if (scale !== null && l0 !== null) return heightOf(l0, scale)
    return rows === 1 ? 0.5 : 0.95 - (0.9 * Math.floor(without.indexOf(sae) / inRow)) / (rows - 1)
  })
  return saes.map((sae, at) => {
    const y = heights[at] ?? 0.5
    const level = heights.flatMap((other, index) => (Math.abs(other - y) < sameHeight ? [index] : []))
    return { sae, column, y, shift: level.indexOf(at), abreast: level.length }
  })
}

/** The pictures of all sites that there is something of. */
export function picturesOf(saes: readonly PublishedSae[]): SitePicture[] {
  return siteOrder.flatMap(site => {
    const own = saes.filter(sae => sae.site === site)
    if (own.length === 0) return []
    const layers = [...new Set(own.map(sae => sae.layer))].sort((a, b) => (a ?? 1e9) - (b ?? 1e9))
    const columns = fillGaps(layers)
    const scale = scaleOf(own)
    const widths = [...new Set(own.map(sae => sae.width))].sort((a, b) => widthValue(a) - widthValue(b))
    const bands = widths.map(width => ({
      width,
      marks: columns.flatMap((layer, column) => {
        const here = own.filter(sae => sae.width === width && sae.layer === layer)
        return here.length === 0 ? [] : marksOf(here, column, scale)
      })
    }))
    return [{ site, columns, bands, saes: own.length, scale }]
  })
}

/** Layers without a gap, so that a column's place says its layer; the embedding and what has no layer stand at the ends. */
function fillGaps(layers: readonly (number | null)[]): (number | null)[] {
  const real = layers.filter(layer => layer !== null && layer >= 0) as number[]
  const filled = real.length === 0 ? [] : Array.from({ length: Math.max(...real) + 1 }, (_, layer) => layer)
  return [...(layers.includes(-1) ? [-1] : []), ...filled, ...(layers.includes(null) ? [null] : [])]
}

/** What a mark's state is called: explanations here, a source elsewhere, or none. */
export function stateOf(sae: PublishedSae): 'explained' | 'source' | 'none' {
  if (sae.explanations > 0) return 'explained'
  return sae.source === null ? 'none' : 'source'
}

/** The mark to go to from another, by an arrow key: along the layers, or up and down in L0 and from band to band. */
export function neighbour(picture: SitePicture, from: Mark, key: string): Mark | null {
  const band = picture.bands.findIndex(one => one.marks.includes(from))
  const marks = picture.bands[band]?.marks ?? []
  const nearest = (candidates: readonly Mark[], distance: (mark: Mark) => number) =>
    candidates.toSorted((a, b) => distance(a) - distance(b))[0] ?? null
  if (key === 'ArrowLeft' || key === 'ArrowRight') {
    const step = key === 'ArrowLeft' ? -1 : 1
    const sideways = marks.filter(mark => mark.column === from.column && (mark.shift - from.shift) * step > 0 && mark.y === from.y)
    if (sideways.length > 0) return nearest(sideways, mark => Math.abs(mark.shift - from.shift))
    const further = marks.filter(mark => (mark.column - from.column) * step > 0)
    return nearest(further, mark => Math.abs(mark.column - from.column) * 10 + Math.abs(mark.y - from.y))
  }
  const step = key === 'ArrowUp' ? 1 : -1
  const inColumn = marks.filter(mark => mark.column === from.column && (mark.y - from.y) * step > 1e-9)
  if (inColumn.length > 0) return nearest(inColumn, mark => Math.abs(mark.y - from.y) + Math.abs(mark.shift - from.shift) / 100)
  const other = picture.bands[band - step]
  return nearest(other?.marks ?? [], mark => Math.abs(mark.column - from.column) * 10 + Math.abs(mark.y - (step > 0 ? 0 : 1)))
}
