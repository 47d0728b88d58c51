/** Tables as text. */

/** Rows as tab-separated values; tabs and line ends inside cells are written as escapes. */
export function toTsv(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const cell = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
  return [header, ...rows].map(row => row.map(cell).join('\t')).join('\n')
}
