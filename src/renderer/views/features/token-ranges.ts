/** Which tokens are chosen, in words: `3-9, 12`, both ends inside; nothing means all. */

/** The positions that a text names, in order; null where it cannot be read, or names one that is not there. */
export function parseRanges(text: string, count: number): number[] | null {
  const chosen = new Set<number>()
  for (const part of text.split(',').map(piece => piece.trim())) {
    if (part === '') continue
    const match = /^(\d+)(?:\s*[-–:]\s*(\d+))?$/.exec(part)
    if (match === null) return null
    const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])]
    if (from > to || to >= count) return null
    for (let position = from; position <= to; position++) chosen.add(position)
  }
  return [...chosen].sort((a, b) => a - b)
}

/** Positions in order, as `parseRanges` reads them. */
export function rangesText(positions: readonly number[]): string {
  const parts: [number, number][] = []
  for (const position of positions) {
    const last = parts.at(-1)
    if (last !== undefined && last[1] === position - 1) last[1] = position
    else parts.push([position, position])
  }
  return parts.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(', ')
}
