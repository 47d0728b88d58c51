/** Text in columns: as wide as its widest cell, numbers to the right. */

function width(text: string): number {
  return [...text].length
}

/** Rows as lines; columns of `leftAligned` stand at the left, the others at the right. */
export function inColumns(rows: readonly (readonly string[])[], leftAligned: ReadonlySet<number>): string {
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

/** Bytes in decimal units, e.g. `1.2 GB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}
