/** What a cell of a picture says in words: where it is, by its tokens, and its value. */
import type { Token } from '../../../contract/run.ts'
import { type Cells, isExact, type PointedCell, spanText } from '../../charts/heatmap/cells.ts'
import type { Range } from '../../charts/heatmap/viewport.ts'
import { quoteToken } from '../../components/token-pieces.ts'
import { formatMetric } from '../../state/numbers.ts'
import type { PictureKind } from './picture-axes.ts'

/** The picture that a cell belongs to. */
export type PictureFacts = {
  kind: PictureKind
  tokens: readonly Token[]
  /** Whether rows are positions of the prompt. */
  tokenRows: boolean
  /** The head shown alone; null for all. */
  head: number | null
  dHead: number
  columnTitle: string
}

/** A value as a person reads it. */
export function valueText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞'
  return formatMetric(value)
}

/** Positions with their tokens: `6 " travel"`, or `6–9 " travel" to " using"`. */
export function positionsText(span: Range, tokens: readonly Token[]): string {
  const [first, last] = [span[0], span[1] - 1].map(at => quoteToken(tokens[at]?.text ?? ''))
  return span[1] - span[0] === 1 ? `${spanText(span)} ${first}` : `${spanText(span)} ${first} to ${last}`
}

/** Columns in words: heads by name where they stand side by side. */
export function columnsText(span: Range, { kind, head, dHead, columnTitle }: PictureFacts): string {
  if (kind !== 'heads') return `${columnTitle} ${spanText(span)}`
  if (head !== null) return `head ${head}, d ${spanText(span)}`
  const [first, last] = [span[0], span[1] - 1].map(column => `head ${Math.floor(column / dHead)}, d ${column % dHead}`)
  return span[1] - span[0] === 1 ? `${first}` : `${first} to ${last}`
}

/** A cell in one line. */
export function cellText(cell: PointedCell, facts: PictureFacts): string {
  const { kind, tokens, tokenRows } = facts
  const value = valueText(cell.value)
  if (kind === 'attention') {
    const head = cell.head ?? facts.head
    const from = `from key ${positionsText(cell.columns, tokens)} to query ${positionsText(cell.rows, tokens)}`
    return `${head === null ? '' : `head ${head}: `}${from}: ${value}`
  }
  const row = tokenRows ? `position ${positionsText(cell.rows, tokens)}` : `row ${spanText(cell.rows)}`
  return `${row}, ${columnsText(cell.columns, facts)}: ${value}`
}

/** What one cell stands for. */
export function cellMeaning(cells: Cells, { kind, tokenRows }: PictureFacts, pooling: 'largest' | 'mean'): string {
  if (isExact(cells)) return 'each cell is one value'
  const counted = (count: number, one: string, many: string) => `${count} ${count === 1 ? one : many}`
  const rows =
    kind === 'attention'
      ? counted(cells.rowsPerCell, 'query', 'queries')
      : tokenRows
        ? counted(cells.rowsPerCell, 'position', 'positions')
        : counted(cells.rowsPerCell, 'row', 'rows')
  const columns = kind === 'attention' ? counted(cells.columnsPerCell, 'key', 'keys') : counted(cells.columnsPerCell, 'value', 'values')
  return `each cell stands for ${rows} × ${columns}: ${pooling === 'mean' ? 'their mean' : 'the one of largest |x|'}`
}
