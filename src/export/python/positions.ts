/** Positions of splices and edits as a script writes them. */
import type { EditPositions } from '../../contract/run.ts'

/** Half-open ranges of the positions that a splice or an edit covers. */
export function rangesOf(positions: EditPositions, special: readonly boolean[]): [start: number, end: number][] {
  if (positions === 'all') return [[0, special.length]]
  if (positions !== 'no-special') return positions.map(([start, end]) => [start, end ?? special.length])
  const ranges: [number, number][] = []
  for (const [i, isSpecial] of special.entries()) {
    if (isSpecial) continue
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === i) last[1] = i + 1
    else ranges.push([i, i + 1])
  }
  return ranges
}
