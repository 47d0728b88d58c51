/** A description cut into what a search matched and what it did not, shortened around the first match where it is long. */

/** A run of text; `match` is true where the search found it. */
export type Piece = { text: string; match: boolean }

/** The longest description shown in full; beyond it a hit shows an excerpt. Characters. */
export const longestShown = 480

/**
 * The pieces of a description in order; joined they are the description. `matches` are [start, end) in UTF-16 units;
 * those that overlap are merged and what lies outside the text is cut off.
 */
export function piecesOf(description: string, matches: readonly (readonly [number, number])[]): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  for (const [start, end] of [...matches].sort((one, other) => one[0] - other[0])) {
    const from = Math.max(start, at)
    const to = Math.min(end, description.length)
    if (to <= from) continue
    if (from > at) pieces.push({ text: description.slice(at, from), match: false })
    const last = pieces.at(-1)
    if (last?.match) last.text += description.slice(from, to)
    else pieces.push({ text: description.slice(from, to), match: true })
    at = to
  }
  if (at < description.length) pieces.push({ text: description.slice(at), match: false })
  return pieces
}

/** The pieces of at most `longest` characters around the first match, with an ellipsis where text was left out. */
export function excerptOf(description: string, matches: readonly (readonly [number, number])[], longest = longestShown): Piece[] {
  if (description.length <= longest) return piecesOf(description, matches)
  const first = Math.min(description.length, ...matches.map(([start]) => start))
  const from = first === description.length || first < longest / 2 ? 0 : boundary(description, Math.max(0, first - Math.floor(longest / 4)))
  const to = boundary(description, Math.min(description.length, from + longest))
  const inside = matches.filter(([start, end]) => end > from && start < to).map(([start, end]) => [start - from, end - from] as const)
  const pieces = piecesOf(
    description.slice(from, to),
    inside.map(([start, end]) => [Math.max(0, start), end] as const)
  )
  if (from > 0) pieces.unshift({ text: '… ', match: false })
  if (to < description.length) pieces.push({ text: ' …', match: false })
  return pieces
}

/** The nearest cut at or before `at` that splits no surrogate pair. */
function boundary(text: string, at: number): number {
  const unit = text.charCodeAt(at)
  return unit >= 0xdc00 && unit <= 0xdfff ? at - 1 : at
}
