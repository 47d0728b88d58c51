/** The picture of the activation that is open: which heads, which part, which colours, and the values that have come for it. */

import type { Cells } from '../../charts/heatmap/cells.ts'
import type { AxisLabels } from '../../charts/heatmap/drawing.ts'
import { heatColors } from '../../charts/heatmap/heat-colors.svelte.ts'
import { heatScale } from '../../charts/heatmap/heat-scale.ts'
import { type Extent, isWhole, type Place, type Range, type Viewport, wholeOf } from '../../charts/heatmap/viewport.ts'
import { navigation } from '../../state/navigation.svelte.ts'
import { finiteOrNull } from '../../state/numbers.ts'
import { type ActivationWindow, look, type Reach, type SeenValues } from './activation.svelte.ts'
import { hookList } from './hook-list.svelte.ts'
import { axisLabels, hasTokenRows, headsOf, kindOf, withoutBatch } from './picture-axes.ts'
import { cellMeaning, type PictureFacts } from './picture-words.ts'

class Picture {
  /** The part zoomed into; null for all of it. */
  part = $state.raw<Viewport | null>(null)
  /** The cell that the keyboard is at. */
  cursor = $state.raw<Place | null>(null)
  /** Cells that fit: of a heat map, and along one side of a head in the grid. Null before they are laid out. */
  capacity = $state.raw<Extent | null>(null)
  tile = $state<number | null>(null)

  hook = $derived(look.activation?.hook ?? null)
  kind = $derived(this.hook === null ? ('plain' as const) : kindOf(this.hook))
  heads = $derived(this.hook === null ? 0 : headsOf(this.hook))
  tokens = $derived(hookList.table?.tokens ?? [])
  tokenRows = $derived(this.hook !== null && hasTokenRows(this.hook))

  /** The head shown alone, which the address names; null for all. */
  head = $derived.by(() => {
    const asked = navigation.route.query.head
    return asked !== undefined && /^\d+$/.test(asked) && Number(asked) < this.heads ? Number(asked) : null
  })
  /** Attention of all heads as small multiples. */
  isGrid = $derived(this.kind === 'attention' && this.head === null)

  /** Rows and columns of one matrix. */
  extent = $derived.by<Extent>(() => {
    if (this.hook === null) return { rows: 0, columns: 0 }
    const [first = 1, second = 1, third = 1, ...rest] = withoutBatch(this.hook).sizes
    if (this.kind === 'attention') return { rows: second, columns: third }
    if (this.kind === 'heads') return { rows: first, columns: this.head === null ? second * third : third }
    return { rows: first, columns: rest.reduce((product, size) => product * size, second * third) }
  })
  inSight = $derived(this.part ?? wholeOf(this.extent))
  isZoomed = $derived(!this.isGrid && !isWhole(this.inSight, this.extent))
  /** Changes where a part zoomed into no longer means anything. */
  matrixKey = $derived(`${this.kind} ${this.head === null} ${this.extent.rows} ${this.extent.columns}`)

  labels = $derived<{ rows: AxisLabels; columns: AxisLabels } | null>(
    this.hook === null ? null : axisLabels(this.hook, this.tokens, this.head)
  )
  facts = $derived<PictureFacts>({
    kind: this.kind,
    tokens: this.tokens,
    tokenRows: this.tokenRows,
    head: this.head,
    dHead: this.hook !== null && this.kind === 'heads' ? (withoutBatch(this.hook).sizes[2] ?? 1) : 1,
    columnTitle: this.labels?.columns.title ?? 'd'
  })

  canDiffer = $derived(look.activation?.differenceMagnitudes != null)
  difference = $derived(look.difference && this.canDiffer)

  byHead = $derived(this.isGrid || this.head !== null)
  planes = $derived<Range>(this.isGrid ? [0, this.heads] : [this.head ?? 0, (this.head ?? 0) + 1])
  /** What to fetch; null before the picture is laid out. */
  window = $derived.by<ActivationWindow | null>(() => {
    const most = this.isGrid ? (this.tile === null ? null : { rows: this.tile, columns: this.tile }) : this.capacity
    if (this.hook === null || most === null) return null
    const { rows, columns } = this.isGrid ? wholeOf(this.extent) : this.inSight
    const { byHead, planes, difference } = this
    return { byHead, planes, rows, columns, mostRows: most.rows, mostColumns: most.columns, pooling: look.pooling, difference }
  })
  /** Values of these heads, whatever part of them; others are on their way. */
  values = $derived.by<SeenValues | null>(() => {
    const seen = look.values
    if (seen === null || seen.window.byHead !== this.byHead || seen.planes.join() !== this.planes.join()) return null
    return seen.whole.rows === this.extent.rows && seen.whole.columns === this.extent.columns ? seen : null
  })
  cells = $derived<Cells | null>(this.values?.matrices[0] ?? null)
  isPooled = $derived(this.cells !== null && (this.cells.rowsPerCell > 1 || this.cells.columnsPerCell > 1))

  isPattern = $derived(this.hook?.name.endsWith('.hook_pattern') === true && !this.difference)
  magnitudes = $derived(this.difference ? look.activation?.differenceMagnitudes : look.activation?.magnitudes)
  /** Special tokens such as BOS drown the rest of a stream, so colours do not reach for them unless asked to. */
  reach = $derived<Reach>(look.reach ?? (this.kind === 'attention' || !finiteOrNull(this.magnitudes?.ordinary) ? 'largest' : 'ordinary'))
  scale = $derived.by(() => {
    const bound = this.isPattern && this.reach === 'largest' ? 1 : (finiteOrNull(this.magnitudes?.[this.reach]) ?? 1)
    const diverging = this.difference || (finiteOrNull(this.hook?.statistics.min) ?? 0) < 0
    return heatScale(heatColors.palette, diverging, bound)
  })

  /** |x| of the rows in sight, and the longest bar: of ordinary tokens, where there are any. */
  norms = $derived.by<{ values: Float32Array; largest: number } | null>(() => {
    const norms = this.values?.norms
    if (norms == null || this.extent.columns === 1) return null
    const first = this.cells?.rows[0] ?? 0
    let [largest, ordinary] = [0, 0]
    for (const [at, norm] of norms.entries()) {
      if (!Number.isFinite(norm)) continue
      largest = Math.max(largest, norm)
      if (this.tokens[first + at]?.special !== true) ordinary = Math.max(ordinary, norm)
    }
    return { values: norms, largest: ordinary > 0 ? ordinary : largest }
  })

  /** What one cell stands for. */
  meaning = $derived.by(() => {
    if (this.cells === null) return ''
    if (finiteOrNull(this.magnitudes?.largest) === 0) return this.difference ? 'no difference anywhere' : 'all values are 0'
    return cellMeaning(this.cells, this.facts, look.pooling)
  })

  /** The variant of what is shown, which may be another one than is asked for now. */
  variant = $derived(look.request?.variant ?? '')
  title = $derived(this.hook === null ? '' : `${this.hook.name}${this.head === null ? '' : `, head ${this.head}`}`)
  subtitle = $derived(
    `${hookList.table?.model.name ?? ''}, ${this.variant}${this.difference ? ` − ${look.request?.against}` : ''}; ${this.meaning}`
  )
}

export const picture = new Picture()
