/** Which column a table is sorted by; null leaves its rows as they came. */

export type ColumnSort<Column extends string> = { column: Column; descending: boolean } | null

/** What a click on a column's heading makes of the order: one way, the other way, as it came. Numbers begin with the largest. */
export function nextSort<Column extends string>(sort: ColumnSort<Column>, column: Column, descendingFirst = false): ColumnSort<Column> {
  if (sort?.column !== column) return { column, descending: descendingFirst }
  return sort.descending === descendingFirst ? { column, descending: !descendingFirst } : null
}

/** How a column's heading says it. */
export function orderOf<Column extends string>(sort: ColumnSort<Column>, column: Column): 'ascending' | 'descending' | null {
  return sort?.column !== column ? null : sort.descending ? 'descending' : 'ascending'
}

/** The rows in order. Numbers by size, text as people sort it; rows without a value come last either way, equal ones stay as they were. */
export function sortRows<Row, Column extends string>(
  rows: readonly Row[],
  sort: ColumnSort<Column>,
  keyOf: (row: Row, column: Column) => string | number | null
): readonly Row[] {
  if (sort === null) return rows
  const sign = sort.descending ? -1 : 1
  const isMissing = (key: string | number | null) => key === null || key === '' || Number.isNaN(key)
  return rows
    .map(row => ({ row, key: keyOf(row, sort.column) }))
    .sort(({ key: one }, { key: other }) => {
      if (isMissing(one) || isMissing(other)) return Number(isMissing(one)) - Number(isMissing(other))
      if (typeof one === 'number' && typeof other === 'number') return sign * (one - other)
      return sign * String(one).localeCompare(String(other), 'en', { numeric: true })
    })
    .map(({ row }) => row)
}
