/** A query of words as expressions of the text index, best first: texts with more of the alternatives, then shorter texts. */
import { either } from './expression.ts'
import { encodePiece } from './index-terms.ts'
import type { Vocabulary } from './vocabulary.ts'
import { holds, type WordNode } from './word-query.ts'

/** A beginning that more words share is looked for in the texts themselves. */
const mostWords = 2000
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
  /** How many alternatives a text of these folded words holds. */
  count(words: readonly string[]): number
}

/** `expression` null finds any text; `isNone` finds none. */
interface Found {
  readonly expression: string | null
  readonly isExact: boolean
  readonly isNone: boolean
}

const nothing: Found = { expression: null, isExact: true, isNone: true }

function anyOf(runs: readonly string[]): Found {
  if (runs.length === 0) return nothing
  return { expression: either(runs.map(run => `"${encodePiece(run)}"`)), isExact: true, isNone: false }
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

function find(node: WordNode, vocabulary: Vocabulary): Found {
  if (node.kind === 'or') return someOf(node.nodes.map(inner => find(inner, vocabulary)))
  if (node.kind === 'not') return { expression: null, isExact: false, isNone: false }
  if (node.kind === 'phrase') return findPhrase(node, vocabulary)
  const unwanted = node.nodes.flatMap(inner => (inner.kind === 'not' ? [find(inner.node, vocabulary)] : []))
  const wanted = allOf(node.nodes.filter(inner => inner.kind !== 'not').map(inner => find(inner, vocabulary)))
  const excluded = unwanted.flatMap(part => (part.isExact && !part.isNone && part.expression !== null ? [part.expression] : []))
  const isExact = wanted.isExact && unwanted.every(part => part.isExact && (part.isNone || part.expression !== null))
  if (wanted.isNone || wanted.expression === null || excluded.length === 0) return { ...wanted, isExact }
  return { expression: `(${wanted.expression} NOT (${excluded.join(' OR ')}))`, isExact, isNone: false }
}

function findPhrase(node: Extract<WordNode, { kind: 'phrase' }>, vocabulary: Vocabulary): Found {
  const last = node.words.length - 1
  const words = node.words.map((word, place): Found => {
    if (!node.isPrefix || place < last) return anyOf(vocabulary.spellings(word))
    const runs = vocabulary.startingWith(word, mostWords)
    return runs === null ? { expression: null, isExact: false, isNone: false } : anyOf(runs)
  })
  const found = allOf(words)
  return { ...found, isExact: found.isExact && words.length === 1 }
}

/** All choices of `size` of the parts. */
function choices<Part>(parts: readonly Part[], size: number): Part[][] {
  if (size === 0) return [[]]
  return parts.flatMap((part, at) => choices(parts.slice(at + 1), size - 1).map(rest => [part, ...rest]))
}

/** The plan of a query. */
export function planOfWords(node: WordNode, vocabulary: Vocabulary): WordPlan {
  const alternatives = node.kind === 'or' && node.nodes.length <= mostAlternatives ? node.nodes : [node]
  const parts = alternatives.map(alternative => find(alternative, vocabulary))
  const tiers = parts.flatMap((_, at): WordTier[] => {
    const matches = parts.length - at
    const { expression, isExact, isNone } = someOf(choices(parts, matches).map(allOf))
    return isNone ? [] : [{ matches, expression, isExact }]
  })
  return { tiers, count: words => alternatives.filter(alternative => holds(alternative, words)).length }
}
