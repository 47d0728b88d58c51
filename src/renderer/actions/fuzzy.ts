/** Fuzzy match: the letters of a query in their order within a text, best where they begin words or stand together. */

/** `at`: the indices of the text that matched, ascending. A higher score is a better match. */
export interface Match {
  readonly score: number
  readonly at: readonly number[]
}

const [together, wordStart, perGap, whole] = [6, 8, 1, 40]

function isWordStart(text: string, index: number): boolean {
  return index === 0 || /[\s\-/_.:(“,]/.test(text[index - 1] ?? '')
}

/** One word of a query in a text that is in lower case; null where it is not in it. */
function matchWord(word: string, text: string): Match | null {
  const written = text.indexOf(word)
  if (written >= 0) {
    // A piece as it is written beats scattered letters; one that begins a word beats one inside.
    const starts = [...text.matchAll(new RegExp(`(?<=^|[\\s\\-/_.:(“,])${word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}`, 'g'))].map(
      ({ index }) => index
    )
    const from = starts[0] ?? written
    const score = whole + word.length * together + (isWordStart(text, from) ? wordStart : 0) - Math.min(from, 20) * 0.1
    return { score, at: Array.from(word, (_, offset) => from + offset) }
  }
  const at: number[] = []
  let [score, from] = [0, 0]
  for (const letter of word) {
    const next = text.indexOf(letter, from)
    if (next < 0) return null
    const last = at.at(-1)
    score += isWordStart(text, next) ? wordStart : last === next - 1 ? together : -perGap * Math.min(next - (last ?? 0), 6)
    at.push(next)
    from = next + 1
  }
  // Letters strewn over a title are no match.
  return score > word.length ? { score, at } : null
}

/**
 * Every word of the query in the title, or as it is written in the keywords, which count less. Null where one is in neither. An empty
 * query matches all alike.
 */
export function fuzzyMatch(query: string, title: string, keywords = ''): Match | null {
  const words = query
    .toLowerCase()
    .split(/\s+/)
    .filter(word => word !== '')
  const [inTitle, inKeywords] = [title.toLowerCase(), keywords.toLowerCase()]
  let score = 0
  const at = new Set<number>()
  for (const word of words) {
    const match = matchWord(word, inTitle)
    const isKeyword = isWordStart(inKeywords, inKeywords.indexOf(word)) && inKeywords.includes(word)
    if (match !== null && (match.score >= whole || !isKeyword)) {
      score += match.score
      for (const index of match.at) at.add(index)
    } else if (isKeyword) score += whole / 2
    else return null
  }
  return { score: score - title.length * 0.05, at: [...at].sort((a, b) => a - b) }
}

/** A text in pieces, those that matched marked. */
export function markedPieces(text: string, at: readonly number[]): { text: string; isMatch: boolean }[] {
  const matched = new Set(at)
  const pieces: { text: string; isMatch: boolean }[] = []
  for (let index = 0; index < text.length; index += 1) {
    const isMatch = matched.has(index)
    const last = pieces.at(-1)
    if (last?.isMatch === isMatch) last.text += text[index] ?? ''
    else pieces.push({ text: text[index] ?? '', isMatch })
  }
  return pieces
}
