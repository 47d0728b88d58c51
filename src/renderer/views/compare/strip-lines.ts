/** Breaking the strips into lines: every variant breaks at the same columns, so the strips stay aligned and wrap in step. */

/** One line: columns from `start` up to, not including, `end`. */
export type StripLine = { start: number; end: number }

/**
 * Greedy lines of columns with the given widths (pixels, gaps included) that fit `available`, the first one `first`, which has
 * numbers beside it; a wider column stands alone.
 */
export function breakLines(widths: readonly number[], available: number, first = available): StripLine[] {
  const lines: StripLine[] = []
  let start = 0
  let used = 0
  for (const [column, width] of widths.entries()) {
    if (column > start && used + width > (lines.length === 0 ? first : available)) {
      lines.push({ start, end: column })
      start = column
      used = 0
    }
    used += width
  }
  if (widths.length > start) lines.push({ start, end: widths.length })
  return lines
}
