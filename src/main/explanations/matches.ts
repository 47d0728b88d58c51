/**
 * Literal, case-insensitive matching as pandas' `str.contains(q, case=False, regex=False)` does it: upper case with upper
 * case, by Unicode's full mapping (ß is SS), so that text and query may change their length.
 */

/** Whether `text` contains the query, which is upper-cased already. */
export function containsUpper(text: string, upperQuery: string): boolean {
  return text.toUpperCase().includes(upperQuery)
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

const mostTrigrams = 48

/** The query's trigrams as a MATCH expression for the substring index; null where it has none that the index could know. */
export function trigramExpression(upperQuery: string): string | null {
  const characters = [...upperQuery]
  const trigrams = new Set<string>()
  for (let start = 0; start + 3 <= characters.length && trigrams.size < mostTrigrams; start++) {
    const trigram = characters.slice(start, start + 3).join('')
    // A NUL would end the expression early, and a lone surrogate has no bytes of its own.
    if (!trigram.includes('\0') && trigram.isWellFormed()) trigrams.add(trigram)
  }
  return trigrams.size === 0 ? null : [...trigrams].map(trigram => `"${trigram.replaceAll('"', '""')}"`).join(' AND ')
}

/** Words as a MATCH expression for the word index, all of which must occur; null where there are none. */
export function wordExpression(query: string): string | null {
  const words = query.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
  return words.length === 0 ? null : words.map(word => `"${word}"`).join(' AND ')
}

/** Where the words of a query stand in a text, whatever their case. */
export function findWords(text: string, query: string): [number, number][] {
  const words = new Set((query.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []).map(word => word.toLowerCase()))
  return [...text.matchAll(/[\p{L}\p{N}\p{M}]+/gu)].flatMap(match => {
    const [word] = match
    return words.has(word.toLowerCase()) ? [[match.index, match.index + word.length] satisfies [number, number]] : []
  })
}
