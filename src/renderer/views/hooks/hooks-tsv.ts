/** The hook tables and the values of a picture as tab-separated values, unrounded. */
import type { CachedHook, HookTable } from '../../../contract/hooks.ts'
import { type Cells, cellColumns, cellRows, columnsOfCell, rowsOfCell, spanText } from '../../charts/heatmap/cells.ts'
import { toTsv } from '../../components/tsv.ts'
import { fullValue } from '../../state/numbers.ts'

/** A row per hook point, in the order given. */
export function hooksTsv(table: HookTable, hooks: readonly CachedHook[]): string {
  const header = ['hook', 'SAE', 'shape', 'bytes', 'mean', 'std', 'min', 'max', 'finite', 'NaN', 'inf', '-inf']
  const differences = table.against === null ? [] : [`mean |difference| to ${table.against}`, `max |difference| to ${table.against}`]
  const rows = hooks.map(({ name, sae, shape, bytes, statistics, difference }) => [
    name,
    sae ?? '',
    `[${shape.join(', ')}]`,
    String(bytes),
    ...[statistics.mean, statistics.std, statistics.min, statistics.max].map(fullValue),
    ...[statistics.finite, statistics.nan, statistics.positiveInfinity, statistics.negativeInfinity].map(String),
    ...(table.against === null ? [] : [fullValue(difference?.meanAbsolute), fullValue(difference?.maxAbsolute)])
  ])
  return toTsv([...header, ...differences], rows)
}

/** What an axis is called, and the text of an index where it has one. */
type Axis = { title: string; text: ((index: number) => string) | null }

/** The cells of matrices, a row per row of cells; `planes` names the matrices where there are several. */
export function cellsTsv(matrices: readonly { plane: string | null; cells: Cells }[], rows: Axis, columns: Axis): string {
  const [first] = matrices
  if (first === undefined) return ''
  const nameOf = ({ text }: Axis, span: [number, number]) => (text === null ? '' : text(span[0]))
  const heads = Array.from({ length: cellColumns(first.cells) }, (_, column) => {
    const span = columnsOfCell(first.cells, column)
    return `${columns.title} ${spanText(span)}${columns.text === null ? '' : ` ${nameOf(columns, span)}`}`
  })
  const hasPlanes = first.plane !== null
  const header = [...(hasPlanes ? ['head'] : []), rows.title, ...(rows.text === null ? [] : ['token']), ...heads]
  const lines = matrices.flatMap(({ plane, cells }) => {
    const width = cellColumns(cells)
    return Array.from({ length: cellRows(cells) }, (_, row) => {
      const span = rowsOfCell(cells, row)
      const values = Array.from(cells.values.subarray(row * width, (row + 1) * width), String)
      return [...(hasPlanes ? [plane ?? ''] : []), spanText(span), ...(rows.text === null ? [] : [nameOf(rows, span)]), ...values]
    })
  })
  return toTsv(header, lines)
}
