/** Tab-separated values that paste into a spreadsheet and read back with pandas as they were. */

/**
 * A cell: backslashes, tabs and line ends as escapes; quoted where it has a quotation mark, because spreadsheets take a cell that
 * begins with one as quoted, and a token that is a lone `"` would swallow the rows after it.
 */
function cellOf(text: string): string {
  const line = text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
  return line.includes('"') ? `"${line.replaceAll('"', '""')}"` : line
}

/** Rows as tab-separated values, one line each. */
export function toTsv(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, ...rows].map(row => row.map(cellOf).join('\t')).join('\n')
}
