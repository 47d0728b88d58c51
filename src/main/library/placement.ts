/** Where a published SAE stands among its kind: site, layer, width and variant, as its names say them. */
import type { Site } from '../../contract/releases.ts'

/** The names of a published SAE; `path` is null where it has none. */
export interface PublishedNames {
  readonly release: string
  readonly repo: string
  readonly id: string
  readonly path: string | null
  readonly source: string | null
  readonly averageL0: number | null
}

export interface Placement {
  readonly site: Site
  /** -1 for the embedding. */
  readonly layer: number | null
  readonly width: string | null
  /** What tells it from others of its site, layer and width; empty where nothing does. */
  readonly variant: string
}

const layerPatterns = [
  /(?:^|[/_])layer_(\d+)(?:[/_.]|$)/,
  /blocks\.(\d+)\./,
  /(?:^|\/)l(\d+)[ram]_/,
  /(?:^|\/)L(\d+)[RAM]$/,
  /(?:^|\/)(?:resid|attn|mlp)_\w*?layer_(\d+)/
]

const siteWords: readonly (readonly [Site, RegExp])[] = [
  ['clt', /(?:^|[-_/])clt(?:[-_/]|$)/],
  ['transcoder', /transcoder/],
  ['att', /hook_z|attn|(?:^|[-_/\d])att(?:[-_/]|$)|lxa_|\/l\d+a_/],
  ['mlp', /mlp|lxm_|\/l\d+m_/],
  ['res', /resid|embedding|hook_embed|(?:^|[-_/\d])res(?:[-_/\d]|$)|lxr_|\/l\d+r_/]
]

/** The site that the text names; of an id, `l5r` says it as Llama Scope does. */
function siteOf({ release, id, path, source }: PublishedNames): Site {
  const own = `/${id}/${path ?? ''}`
  const bySource = source === null ? '' : source.slice(source.indexOf('/'))
  for (const text of [`${release}${own}`, bySource]) {
    const found = siteWords.find(([, word]) => word.test(text))
    if (found !== undefined) return found[0]
  }
  return 'other'
}

function layerOf({ id, path, source }: PublishedNames): number | null {
  if (/(?:^|\/)(embedding|hook_embed)/.test(id)) return -1
  for (const text of [id, path ?? '']) {
    for (const pattern of layerPatterns) {
      const found = pattern.exec(text)?.[1]
      if (found !== undefined) return Number(found)
    }
  }
  const bySource = /\/(\d+)-/.exec(source ?? '')?.[1]
  return bySource === undefined ? null : Number(bySource)
}

/** `16384` and `2pow14` as `16k`; widths that are no power of two keep their digits. */
function widthName(width: number): string {
  if (width >= 1024 * 1024 && width % (1024 * 1024) === 0) return `${width / (1024 * 1024)}m`
  if (width < 1024) return String(width)
  // 16,384 is called 16k and 131,072 131k: thousands where the number is large enough to tell them apart.
  return width % 1000 === 0 || Math.log2(width) % 1 === 0 ? `${Math.floor(width / (width >= 65_536 ? 1000 : 1024))}k` : String(width)
}

function widthOf({ release, repo, id, path, source }: PublishedNames): string | null {
  const own = `${id}/${path ?? ''}`
  const named = /width_(\d+[km]?)(?:[/_]|$)/.exec(own)?.[1]
  if (named !== undefined) return named
  const power = /2pow(\d+)/.exec(release)?.[1]
  if (power !== undefined) return widthName(2 ** Number(power))
  const bySource = /-(\d+[km])(?:__|$)/.exec(source ?? '')?.[1] ?? /_(\d+k)-oai$/.exec(source ?? '')?.[1]
  if (bySource !== undefined) return bySource
  const digits = /hook_\w*?_(\d{3,6})(?::|_|$|\/)/.exec(own)?.[1]
  if (digits !== undefined) return widthName(Number(digits))
  return /-w-(\d+k)/.exec(repo)?.[1] ?? /-(\d+k)$/.exec(release)?.[1] ?? null
}

function variantOf({ release, id, path, averageL0 }: PublishedNames): string {
  const own = `${id}/${path ?? ''}`
  const byName = /average_l0_(\d+)/.exec(own)?.[1]
  if (byName !== undefined) return `L0 ${byName}`
  const words =
    /trainer_\d+(?:_step_\d+)?/.exec(id)?.[0] ??
    /^l\d+[ram]_(\d+m_\w+)$/.exec(id)?.[1] ??
    /_(l0_\w+)$/.exec(id)?.[1] ??
    /-res_(\w+)-ajt$/.exec(release)?.[1]
  if (words !== undefined) return words.replaceAll('_', ' ')
  if (averageL0 !== null) return `L0 ${averageL0}`
  return /hook_(resid_(?:pre|mid|post))\b/.exec(id)?.[1] ?? ''
}

/** Reads the names of a published SAE. Whatever they do not say is null. */
export function placeSae(names: PublishedNames): Placement {
  return { site: siteOf(names), layer: layerOf(names), width: widthOf(names), variant: variantOf(names) }
}

/** Releases that belong together: the name without its site, width and other versions of the same SAEs. */
export function familyOf(release: string): string {
  const gemmaScope = /^(gemma-scope-.+?)-(?:res|att|mlp|transcoders?|attn|resid)\b/.exec(release)?.[1]
  if (gemmaScope !== undefined) return gemmaScope
  if (/^llama_scope_lx/.test(release)) return 'llama_scope'
  return release
    .replace(/-(?:attn-out|mlp-out|resid-mid|resid-post)-(v\d+)-\d+k$/, '-$1')
    .replace(/(-deduped)-(?:att|mlp|res)-sm$/, '$1-sm')
    .replace(/^(gpt2-small)-res_(\w+)-ajt$/, '$1-res-ajt')
    .replace(/^(sae_bench_.+?_(?:topk|vanilla|sweep_\w+?))_(?:width|ctx).*$/, '$1')
    .replace(/-res(?:-snap)?-(matryoshka)/, '-$1')
    .replace(/^(demo)-(?:scope-res|saelens)$/, '$1')
}
