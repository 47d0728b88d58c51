/** Where an SAE could sit instead: hook points of its width in its own layer and the layers beside it. */
import { attach } from '../../sae/fit.ts'
import type { Sae } from '../../sae/sae.ts'
import type { HookPoint } from '../../transformer/model.ts'

/** The hook point that an SAE reads and, for transcoders, the one that its output stands in for. */
export interface Place {
  readonly hook: string
  readonly hookOut: string | null
}

/** What a layer has that SAEs are trained on, without its layer; and the hook points outside the blocks. */
const inBlock = /^(hook_resid_(pre|mid|post)|hook_attn_out|hook_mlp_out|attn\.hook_z|ln\w*\.hook_normalized|mlp\.hook_in)$/
const outside = /^(hook_embed|ln_final\.hook_normalized)$/

function siteOf(hook: string): { layer: number | null; site: string } {
  const found = /^blocks\.(\d+)\.(.+)$/.exec(hook)
  return found === null ? { layer: null, site: hook } : { layer: Number(found[1]), site: found[2] ?? '' }
}

/** The layer of a hook point; what comes before the blocks is beside the first one, what comes behind beside the last. */
function layerOf(hook: string, layers: number): number {
  const { layer } = siteOf(hook)
  return layer ?? (hook.startsWith('ln_final') ? layers : -1)
}

/** `blocks.3.hook_resid_pre` is `blocks.2.hook_resid_post` again. */
function sameTensor(hook: string): string {
  const { layer, site } = siteOf(hook)
  return site === 'hook_resid_pre' && layer !== null && layer > 0 ? `blocks.${layer - 1}.hook_resid_post` : hook
}

function shifted(hook: string, by: number): string | null {
  const { layer, site } = siteOf(hook)
  return layer === null ? null : `blocks.${layer + by}.${site}`
}

function canAttach(sae: Sae, place: Place, points: readonly HookPoint[]): boolean {
  try {
    attach({ ...sae, hook: place.hook, hookOut: place.hookOut }, points, '')
    return true
  } catch {
    // Another width, no such hook point, or the wrong order: no place for it.
    return false
  }
}

/**
 * The places to try: the present one, the SAE's own where that is another (null where nothing says it), then the neighbours of the
 * present one in the order in which the model computes them; each tensor once. A transcoder is tried on other inputs of the same
 * output, and moved as a whole by a layer.
 */
export function placesOf(sae: Sae, present: Place, own: Place | null, points: readonly HookPoint[], layers: number): Place[] {
  const at = layerOf(present.hook, layers)
  const near = points.filter(({ name }) => {
    const { layer, site } = siteOf(name)
    const isSite = layer === null ? outside.test(site) : inBlock.test(site)
    return isSite && Math.abs(layerOf(name, layers) - at) <= 1
  })
  const inputs = near.map(({ name }): Place => ({ hook: name, hookOut: present.hookOut }))
  const moved = [-1, 1].flatMap((by): Place[] => {
    const [hook, hookOut] = [shifted(present.hook, by), present.hookOut === null ? null : shifted(present.hookOut, by)]
    return hook === null || hookOut === null ? [] : [{ hook, hookOut }]
  })
  const seen = new Set<string>()
  return [present, ...(own === null ? [] : [own]), ...inputs, ...moved].filter(place => {
    const key = `${sameTensor(place.hook)} ${place.hookOut}`
    if (seen.has(key) || !canAttach(sae, place, points)) return false
    seen.add(key)
    return true
  })
}
