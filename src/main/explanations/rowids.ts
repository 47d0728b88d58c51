/** Rows of explanations are numbered source by source, so that a source is a range of rows. */

const rowsPerSource = 2 ** 32

/** First rowid of a source's explanations; the next source's is where it ends. */
export function firstRow(source: number): number {
  return source * rowsPerSource
}

/** The source that a row belongs to. */
export function sourceOfRow(row: number): number {
  return Math.floor(row / rowsPerSource)
}
