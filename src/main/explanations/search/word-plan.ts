/** A query of words as expressions of the text index, best first: texts with more of the alternatives, then shorter texts. */
import { either } from './expression.ts'
import { encodePiece, isWord, longRunTerm, pairTerm } from './index-terms.ts'
import type { KnownIndex, KnownTerms } from './known-terms.ts'
import { holds, type WordNode } from './word-query.ts'

/** A beginning that more words share is looked for in the texts themselves. */
const mostWords = 2000
/** More pairs of words are not asked for one by one. */
const mostPairs = 16
/** Nor more of what may stand between a word and the next. */
const mostBetweens = 128
/** More alternatives than this are not told apart by how many of them occur. */
const mostAlternatives = 4

/** Texts that hold `matches` of the alternatives; all of them are among those that `expression` finds (null: any text). */
export interface WordTier {
  readonly matches: number
  readonly expression: string | null
  /** True where every text that `expression` finds holds at least so many. */
  readonly isExact: boolean
}

export interface WordPlan {
  /** From all alternatives down to one; one tier where there are none to tell apart. Empty where nothing can be found. */
  readonly tiers: readonly WordTier[]
  /** Upper-cased pieces that all texts but those beyond ASCII contain, one behind the other; empty where the index tells as much. */
  readonly contains: readonly string[]
  /** How many alternatives a text of these folded words holds. */
  count(words: readonly string[]): number
}

/** `expression` null finds any text; `isNone` finds none. */
interface Found {
  readonly expression: string | null
  readonly isExact: boolean
  readonly isNone: boolean
}

const anything: Found = { expression: null, isExact: false, isNone: false }
const nothing: Found = { expression: null, isExact: true, isNone: true }

function anyOf(runs: readonly string[]): Found {
  if (runs.length === 0) return nothing
  return { expression: either(runs.map(run => quoted(encodePiece(run)))), isExact: true, isNone: false }
}

function allOf(parts: readonly Found[]): Found {
  if (parts.some(part => part.isNone)) return nothing
  const expressions = parts.flatMap(part => (part.expression === null ? [] : [part.expression]))
  return {
    expression: expressions.length === 0 ? null : `(${expressions.join(' AND ')})`,
    isExact: parts.every(part => part.isExact),
    isNone: false
  }
}

function someOf(parts: readonly Found[]): Found {
  const possible = parts.filter(part => !part.isNone)
  if (possible.length === 0) return nothing
  const isExact = possible.every(part => part.isExact)
  if (possible.some(part => part.expression === null)) return { expression: null, isExact, isNone: false }
  return { expression: `(${possible.map(part => part.expression).join(' OR ')})`, isExact, isNone: false }
}

function find(node: WordNode, index: KnownIndex): Found {
  if (node.kind === 'or') return someOf(node.nodes.map(inner => find(inner, index)))
  if (node.kind === 'not') return anything
  if (node.kind === 'phrase') return findPhrase(node, index)
  const unwanted = node.nodes.flatMap(inner => (inner.kind === 'not' ? [find(inner.node, index)] : []))
  const wanted = allOf(node.nodes.filter(inner => inner.kind !== 'not').map(inner => find(inner, index)))
  const excluded = unwanted.flatMap(part => (part.isExact && !part.isNone && part.expression !== null ? [part.expression] : []))
  const isExact = wanted.isExact && unwanted.every(part => part.isExact && (part.isNone || part.expression !== null))
  if (wanted.isNone || wanted.expression === null || excluded.length === 0) return { ...wanted, isExact }
  return { expression: `(${wanted.expression} NOT (${excluded.join(' OR ')}))`, isExact, isNone: false }
}

function findPhrase(node: Extract<WordNode, { kind: 'phrase' }>, { vocabulary, terms }: KnownIndex): Found {
  const last = node.words.length - 1
  const spellings = node.words.map((word, place) => {
    if (!node.isPrefix || place < last) return vocabulary.spellings(word)
    return vocabulary.startingWith(word, mostWords)
  })
  const words = spellings.map(runs => (runs === null ? anything : anyOf(runs)))
  const pairs = spellings.slice(1).map((rights, at) => neighbours(spellings[at] ?? null, rights, terms))
  const found = allOf([...words, ...pairs])
  return { ...found, isExact: found.isExact && words.length === 1 }
}

/**
 * Texts where one of some words may be followed by one of others: both are neighbours in the index, or both are neighbours of the same
 * thing between words, or the text has a run that the index does not know.
 */
function neighbours(lefts: readonly string[] | null, rights: readonly string[] | null, terms: KnownTerms): Found {
  if (lefts === null || rights === null || lefts.length * rights.length > mostPairs) return anything
  const alternatives = [quoted(longRunTerm)]
  for (const left of lefts) {
    const start = pairTerm(left, '')
    const betweens = terms.goingOn(start, isBetweenWords, mostBetweens)
    if (betweens === null) return anything
    const known = (term: string) => terms.has(term, false)
    alternatives.push(
      ...rights
        .map(right => pairTerm(left, right))
        .filter(known)
        .map(quoted)
    )
    for (const term of betweens) {
      const after = rights.map(right => `_${term.slice(start.length)}_${encodePiece(right)}`).filter(known)
      if (after.length > 0) alternatives.push(`(${quoted(term)} AND ${either(after.map(quoted))})`)
    }
  }
  return { expression: either(alternatives), isExact: false, isNone: false }
}

function quoted(term: string): string {
  return `"${term}"`
}

/** Whether the piece of a term that begins so is no word. */
function isBetweenWords(character: string): boolean {
  return character === '%' || !isWord(character)
}

/** All choices of `size` of the parts. */
function choices<Part>(parts: readonly Part[], size: number): Part[][] {
  if (size === 0) return [[]]
  return parts.flatMap((part, at) => choices(parts.slice(at + 1), size - 1).map(rest => [part, ...rest]))
}

/** The words of the longest phrase that every text must have; the index does not know that they stand side by side. */
function longestPhrase(node: WordNode): readonly string[] {
  if (node.kind === 'phrase') return node.words.length > 1 ? node.words : []
  if (node.kind !== 'and') return []
  return node.nodes.map(longestPhrase).reduce((longest, words) => (words.length > longest.length ? words : longest), [])
}

/** The plan of a query. */
export function planOfWords(node: WordNode, index: KnownIndex): WordPlan {
  const alternatives = node.kind === 'or' && node.nodes.length <= mostAlternatives ? node.nodes : [node]
  const parts = alternatives.map(alternative => find(alternative, index))
  const tiers = parts.flatMap((_, at): WordTier[] => {
    const matches = parts.length - at
    const { expression, isExact, isNone } = someOf(choices(parts, matches).map(allOf))
    return isNone ? [] : [{ matches, expression, isExact }]
  })
  return { tiers, contains: longestPhrase(node), count: words => alternatives.filter(alternative => holds(alternative, words)).length }
}
