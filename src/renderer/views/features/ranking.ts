/** Features ranked over chosen tokens, from all that are active there. */

/** Active features by position: those of i are entries `starts[i]` to `starts[i + 1]`, strongest first. */
export type SparseFeatures = { starts: Int32Array; features: Int32Array; activations: Float32Array }

export const measures = ['max', 'mean', 'count'] as const
export type Measure = (typeof measures)[number]

/**
 * A feature over the chosen tokens: its largest activation and the position of it, the mean over all of them (zero where it
 * does not fire), and on how many it fires.
 */
export type RankedFeature = { index: number; max: number; at: number; mean: number; count: number }

/** Every feature that fires on a chosen position, by `measure`, then by its largest activation. */
export function rankFeatures(sparse: SparseFeatures, positions: readonly number[], measure: Measure): RankedFeature[] {
  const found = new Map<number, { index: number; max: number; at: number; sum: number; count: number }>()
  for (const position of positions) {
    const end = sparse.starts[position + 1] ?? 0
    for (let entry = sparse.starts[position] ?? 0; entry < end; entry++) {
      const index = sparse.features[entry] ?? 0
      const activation = sparse.activations[entry] ?? 0
      const known = found.get(index)
      if (known === undefined) found.set(index, { index, max: activation, at: position, sum: activation, count: 1 })
      else {
        known.sum += activation
        known.count += 1
        if (activation > known.max) {
          known.max = activation
          known.at = position
        }
      }
    }
  }
  return [...found.values()]
    .map(({ sum, ...feature }) => ({ ...feature, mean: sum / positions.length }))
    .sort((a, b) => b[measure] - a[measure] || b.max - a.max || a.index - b.index)
}

/** A feature's activation at every position; 0 where it does not fire. */
export function activationsOf(sparse: SparseFeatures, index: number): Float32Array {
  const values = new Float32Array(Math.max(0, sparse.starts.length - 1))
  for (let position = 0; position < values.length; position++) {
    const end = sparse.starts[position + 1] ?? 0
    for (let entry = sparse.starts[position] ?? 0; entry < end; entry++) {
      if (sparse.features[entry] === index) values[position] = sparse.activations[entry] ?? 0
    }
  }
  return values
}

/** The activations of several features, a row each, over some positions. */
export function matrixOf(sparse: SparseFeatures, indices: readonly number[], positions: readonly number[]): Float32Array {
  const rowOf = new Map(indices.map((index, row) => [index, row]))
  const values = new Float32Array(indices.length * positions.length)
  for (const [column, position] of positions.entries()) {
    const end = sparse.starts[position + 1] ?? 0
    for (let entry = sparse.starts[position] ?? 0; entry < end; entry++) {
      const row = rowOf.get(sparse.features[entry] ?? -1)
      if (row !== undefined) values[row * positions.length + column] = sparse.activations[entry] ?? 0
    }
  }
  return values
}
