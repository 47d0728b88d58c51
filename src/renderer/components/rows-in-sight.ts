/** Which rows of equal height are drawn of a list that scrolls: those in sight and some before and after. */

/** Half-open, and the room that stands for the rows before and after, in pixels. */
export type RowsInSight = { start: number; end: number; before: number; after: number }

/** `extra`: how many rows more are drawn at either end, so that scrolling shows no gap. */
export function rowsInSight(count: number, height: number, scrollTop: number, viewport: number, extra = 6): RowsInSight {
  const start = Math.max(0, Math.min(count, Math.floor(scrollTop / height)) - extra)
  const end = Math.min(count, Math.ceil((scrollTop + viewport) / height) + extra)
  return { start, end: Math.max(start, end), before: start * height, after: Math.max(0, count - Math.max(start, end)) * height }
}

/** The place to scroll to for a row to be in sight, the same where it is; `top`: pixels at the upper edge that something covers. */
export function scrollToRow(row: number, height: number, scrollTop: number, viewport: number, top = 0): number {
  const from = row * height
  if (from < scrollTop) return from
  const end = from + height + top
  return end > scrollTop + viewport ? end - viewport : scrollTop
}
