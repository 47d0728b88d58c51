/** What the rows and columns of an activation's picture are, by its axes. */
import type { CachedHook } from '../../../contract/hooks.ts'
import type { Token } from '../../../contract/run.ts'
import type { AxisLabels } from '../../charts/heatmap/drawing.ts'
import { tokenPieces } from '../../components/token-pieces.ts'

/**
 * `attention`: heads of queries by keys. `heads`: positions by heads by d_head, which can be seen side by side or one by one.
 * `plain`: positions by features, or whatever else a hook point has.
 */
export type PictureKind = 'attention' | 'heads' | 'plain'

export function kindOf({ axes }: Pick<CachedHook, 'axes'>): PictureKind {
  if (axes[1] === 'head' && axes[2] === 'query') return 'attention'
  return axes[1] === 'position' && axes[2] === 'head' ? 'heads' : 'plain'
}

/** How many heads there are; 0 where the activation has none. */
export function headsOf(hook: Pick<CachedHook, 'axes' | 'shape'>): number {
  const at = hook.axes.indexOf('head')
  return at === -1 ? 0 : (hook.shape[at] ?? 0)
}

/** A token's text as one line of marks, as strips show it. */
export function tokenLabel(token: Token | undefined): string {
  return token === undefined
    ? ''
    : token.special
      ? token.text
      : tokenPieces(token.text)
          .map(piece => piece.text)
          .join('')
}

/** Labels of a picture; `head` is the one that is shown alone, null where all stand side by side. */
export function axisLabels(hook: CachedHook, tokens: readonly Token[], head: number | null): { rows: AxisLabels; columns: AxisLabels } {
  const text = (index: number) => tokenLabel(tokens[index])
  const kind = kindOf(hook)
  if (kind === 'attention') return { rows: { title: 'query', text }, columns: { title: 'key', text } }
  const rows: AxisLabels = hook.axes[1] === 'position' ? { title: 'position', text } : { title: 'row', text: null }
  if (kind === 'heads') {
    const dHead = hook.shape[3] ?? 1
    return { rows, columns: head === null ? { title: 'head, d', text: null, headWidth: dHead } : { title: 'd', text: null } }
  }
  return { rows, columns: { title: hook.sae !== null && isOfFeatures(hook.name) ? 'SAE feature' : 'd', text: null } }
}

/** Whether columns are features of an SAE, which have pages of their own. */
export function isOfFeatures(name: string): boolean {
  return /\.hook_sae_acts_(pre|post)$/.test(name)
}

/** Whether a row names a token of the prompt, so that the one selection applies to it. */
export function hasTokenRows({ axes }: Pick<CachedHook, 'axes'>): boolean {
  return axes[1] === 'position' || axes[2] === 'query'
}
