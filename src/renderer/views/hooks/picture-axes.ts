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

export function kindOf(hook: Pick<CachedHook, 'axes' | 'shape'>): PictureKind {
  const { axes } = withoutBatch(hook)
  if (axes[0] === 'head' && axes[1] === 'query') return 'attention'
  return axes[0] === 'position' && axes[1] === 'head' ? 'heads' : 'plain'
}

/** Axes and sizes after the batch dimension, which stands in front of all but flattened heads. */
export function withoutBatch({ axes, shape }: Pick<CachedHook, 'axes' | 'shape'>): { axes: CachedHook['axes']; sizes: number[] } {
  const from = axes[0] === 'batch' ? 1 : 0
  return { axes: axes.slice(from), sizes: shape.slice(from) }
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
  const { axes, sizes } = withoutBatch(hook)
  const rows = rowLabels(axes[0], text, (sizes[0] ?? 1) / Math.max(1, tokens.length))
  if (kind === 'heads') {
    const dHead = sizes[2] ?? 1
    return { rows, columns: head === null ? { title: 'head, d', text: null, headWidth: dHead } : { title: 'd', text: null } }
  }
  return { rows, columns: { title: hook.sae !== null && isOfFeatures(hook.name) ? 'SAE feature' : 'd', text: null } }
}

/** Rows are positions, or heads of positions where those are flattened into one axis. */
function rowLabels(axis: CachedHook['axes'][number] | undefined, text: (index: number) => string, heads: number): AxisLabels {
  if (axis === 'position') return { title: 'position', text }
  if (axis !== 'position-head') return { title: 'row', text: null }
  return { title: 'position, head', text: index => `${text(Math.floor(index / heads))} ${index % heads}` }
}

/** Whether columns are features of an SAE, which have pages of their own. */
export function isOfFeatures(name: string): boolean {
  return /\.hook_sae_acts_(pre|post)$/.test(name)
}

/** Whether a row names a token of the prompt, so that the one selection applies to it. */
export function hasTokenRows(hook: Pick<CachedHook, 'axes' | 'shape'>): boolean {
  const { axes } = withoutBatch(hook)
  return axes[0] === 'position' || axes[1] === 'query'
}
