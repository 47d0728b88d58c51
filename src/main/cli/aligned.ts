/** Tables of text: columns as wide as their widest cell. */

/** Rows as lines; columns that `leftAligned` names start at the left, the others end at the right. */
export function aligned(rows: readonly (readonly string[])[], leftAligned: ReadonlySet<number>): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => width(row[column] ?? ''))))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat((widths[column] ?? 0) - width(cell))
        return leftAligned.has(column) ? cell + padding : padding + cell
      })
      .join('  ')
      .trimEnd()
  return rows.map(line).join('\n')
}

function width(text: string): number {
  return [...text].length
}
