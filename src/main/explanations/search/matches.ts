/**
 * Literal, case-insensitive matching as pandas' `str.contains(q, case=False, regex=False)` does it: upper case with upper
 * case, by Unicode's full mapping (ß is SS), so that text and query may change their length.
 */

/** Whether `text` contains the query, which is upper-cased already. */
export function containsUpper(text: string, upperQuery: string): boolean {
  return text.toUpperCase().includes(upperQuery)
}

/**
 * SQL that is true of every text that contains some pieces one behind the other, in any case, and of few others; bind `likePattern` of
 * them. `LIKE` takes ASCII letters of both cases for equal, as upper case does, but not characters whose upper case becomes ASCII, nor
 * what stands behind NUL: texts with such are all let through.
 */
export function mayContain(text: string): string {
  return `(${text} LIKE ? ESCAPE '\\' OR octet_length(${text}) > length(${text}))`
}

/** As much of a piece is looked for: patterns are bounded. */
const longestPiece = 200

/** What `mayContain` takes for upper-cased pieces. Only texts beyond ASCII contain one that is not ASCII itself. */
export function likePattern(upperPieces: readonly string[]): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII without NUL.
  if (upperPieces.some(piece => !/^[\x01-\x7f]+$/.test(piece))) return ''
  return `%${upperPieces.map(piece => piece.slice(0, longestPiece).replaceAll(/[\\%_]/g, '\\$&')).join('%')}%`
}

/** For each UTF-16 unit of the upper-cased text, where in the text it comes from; null where nothing changed its length. */
function originOfUpper(text: string, upper: string): number[] | null {
  if (upper.length === text.length) return null
  const origins: number[] = []
  let at = 0
  for (const character of text) {
    for (let unit = 0; unit < character.toUpperCase().length; unit++) origins.push(at)
    at += character.length
  }
  origins.push(at)
  return origins
}

/** Ranges [start, end) of the text, in UTF-16 units, that match; they do not overlap. */
export function findMatches(text: string, upperQuery: string): [number, number][] {
  const upper = text.toUpperCase()
  const origins = originOfUpper(text, upper)
  const matches: [number, number][] = []
  let from = upper.indexOf(upperQuery)
  while (from !== -1 && upperQuery !== '') {
    const end = from + upperQuery.length
    const start = origins?.[from] ?? from
    // A match that ends inside an expanded character covers all of it.
    const stop = origins === null ? end : (origins.slice(end).find(origin => origin > (origins[end - 1] ?? 0)) ?? text.length)
    matches.push([start, stop])
    from = upper.indexOf(upperQuery, end)
  }
  return matches
}
