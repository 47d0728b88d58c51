/**
 * What the mirror's text index knows of an explanation, and what a literal query asks of it. An upper-cased text is cut into
 * runs: words, and what stands between words where that is more than one space. The index has a term for each run and two for
 * each pair of neighbours, one that starts with the left run and one that starts with the right: so the runs that a query cuts
 * in two are found by a prefix of such a term, and a text without all pairs of a query is never looked at. The index proposes,
 * the stored text decides (docs/decisions/010). Terms depend on the text alone.
 */

/** Runs longer than this have no terms of their own: their text is marked, and every query looks at marked texts. UTF-16 units. */
const longestRun = 64

/** The term of texts with a run that is too long. */
export const longRunTerm = '!long'

/** Scripts that put no spaces between words: each of their characters is a run. */
const unspaced = String.raw`\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}`
const wordCharacters = String.raw`\p{L}\p{N}\p{M}`
const asciiRuns = /[A-Z0-9]+|[^A-Z0-9]+/g
const anyRuns = new RegExp(`[${unspaced}]|[[${wordCharacters}]--[${unspaced}]]+|[^${wordCharacters}${unspaced}]+`, 'gv')
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII.
const ascii = /^[\x00-\x7f]*$/
const wordStart = new RegExp(`^[${wordCharacters}]`, 'v')
const asciiWordStart = /^[A-Za-z0-9]/

/** The runs of an upper-cased text; they are the whole text. */
export function splitRuns(upper: string): string[] {
  return upper.match(ascii.test(upper) ? asciiRuns : anyRuns) ?? []
}

/** Whether a run is a word rather than what stands between words. */
export function isWord(run: string): boolean {
  return asciiWordStart.test(run) || wordStart.test(run)
}

const anyWords = new RegExp(`[${unspaced}]|[[${wordCharacters}]--[${unspaced}]]+`, 'gv')

/** The words of a text in its own case, with where they start, in UTF-16 units. */
export function wordsInPlace(text: string): { word: string; start: number }[] {
  return Array.from(text.matchAll(anyWords), match => ({ word: match[0], start: match.index }))
}

/** Characters as they stand in a term: letters and digits as they are, other ASCII as % and two hex digits. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII that is neither letter nor digit.
const needsEscape = /[\x00-/:-@[-`{-\x7f]/
const escapes = Array.from({ length: 128 }, (_, code) => `%${code.toString(16).padStart(2, '0')}`)

/** Text as a piece of a term. A piece that starts another is a prefix of it, character by character. */
export function encodePiece(text: string): string {
  if (!needsEscape.test(text)) return text
  let encoded = ''
  for (const character of text) {
    const code = character.charCodeAt(0)
    encoded += code < 128 && needsEscape.test(character) ? escapes[code] : character
  }
  return encoded
}

/** Text from its end to its start, by characters. */
export function reversed(text: string): string {
  if (ascii.test(text)) {
    let backwards = ''
    for (let at = text.length - 1; at >= 0; at--) backwards += text[at]
    return backwards
  }
  return [...text].reverse().join('')
}

/** The term of a pair, from its left run on. */
export function pairTerm(left: string, right: string): string {
  return `_${encodePiece(left)}_${encodePiece(right)}`
}

/** The term of a pair, from its right run on: a prefix of it knows the end of the left run. */
export function backwardPairTerm(left: string, right: string): string {
  return `~${encodePiece(right)}~${encodePiece(reversed(left))}`
}

/** Words of a text are counted up to this; see `lengthTerm`. */
export const mostWords = 40

/** The term of texts with so many words. */
export function lengthTerm(words: number): string {
  return `=w${Math.min(words, mostWords)}`
}

/** The terms of explanations by one explainer model and of one type; 0 for none. */
export function explainerTerm(explainer: number): string {
  return `=x${explainer}`
}
export function typeTerm(type: number): string {
  return `=t${type}`
}

/** Whether a text has a run without terms of its own, and so `longRunTerm`. */
export function hasLongRun(text: string): boolean {
  // Upper case is at most three times as long.
  return text.length * 3 > longestRun && splitRuns(text.toUpperCase()).some(run => run.length > longestRun)
}

interface KnownRun {
  readonly piece: string
  readonly backwards: string
  readonly isWord: boolean
}

/** Runs whose pieces are remembered. */
const mostKnownRuns = 200_000

/** Makes terms, and remembers the pieces of runs it has seen. */
export class TermWriter {
  readonly #known = new Map<string, KnownRun>()
  #newRuns: string[] = []

  /** The runs that were not remembered since the last call: over all calls, each with a term of its own at least once. */
  takeNewRuns(): string[] {
    const runs = this.#newRuns
    this.#newRuns = []
    return runs
  }

  #piece(run: string): KnownRun {
    const known = this.#known.get(run)
    if (known !== undefined) return known
    if (this.#known.size >= mostKnownRuns) this.#known.clear()
    const made = { piece: encodePiece(run), backwards: encodePiece(reversed(run)), isWord: isWord(run) }
    this.#known.set(run, made)
    this.#newRuns.push(run)
    return made
  }

  /** All terms of a text, separated by spaces. */
  termsOf(text: string): string {
    let terms = ''
    let words = 0
    let left: KnownRun | null = null
    let isMarked = false
    for (const run of splitRuns(text.toUpperCase())) {
      if (run === ' ') continue
      if (run.length > longestRun) {
        if (!isMarked) terms += `${longRunTerm} `
        isMarked = true
        left = null
        words += 1
        continue
      }
      const right = this.#piece(run)
      if (right.isWord) words += 1
      terms += left === null ? `${right.piece} ` : `${right.piece} _${left.piece}_${right.piece} ~${right.piece}~${left.backwards} `
      left = right
    }
    return terms + lengthTerm(words)
  }
}

/** What must be so of a run of the text, for one run of the query. */
export type RunPattern = { readonly run: string; readonly start: boolean; readonly end: boolean }

/**
 * The runs of a literal query, and which of their ends the text may go on beyond: `start` is true where the run in the text
 * starts there, `end` where it ends there. One plain space is no run; it fixes the ends beside it.
 */
export function patternsOf(upperQuery: string): RunPattern[] {
  const runs = splitRuns(upperQuery)
  const last = runs.length - 1
  return runs
    .map((run, at) => ({ run, start: at > 0, end: at < last, isInnerSpace: run === ' ' }))
    .filter(({ isInnerSpace }) => !isInnerSpace)
    .map(({ run, start, end }) => ({ run, start, end }))
}
