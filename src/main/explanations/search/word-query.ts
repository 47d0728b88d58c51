/**
 * Queries of words: `travel time`, `"time travel"`, `decept*`, `AND`, `OR`, `NOT` (in capitals, or - before a word) and brackets.
 * Words side by side must all occur. Whatever is typed has a reading: the first mistake is reported with its place, and left out.
 */
import type { QueryProblem } from '../../../contract/explanations.ts'
import { isWord, splitRuns, wordsInPlace } from './index-terms.ts'
import { foldWord } from './vocabulary.ts'

/** What a query asks of a text. `words` of a phrase follow each other; the last one of a prefix is a beginning. */
export type WordNode =
  | { readonly kind: 'phrase'; readonly words: readonly string[]; readonly isPrefix: boolean }
  | { readonly kind: 'and' | 'or'; readonly nodes: readonly WordNode[] }
  | { readonly kind: 'not'; readonly node: WordNode }

export interface WordQuery {
  /** Null where nothing is asked. */
  readonly node: WordNode | null
  readonly problem: QueryProblem | null
}

type Token =
  | { readonly kind: 'words'; readonly words: readonly string[]; readonly isPrefix: boolean; readonly start: number; readonly end: number }
  | { readonly kind: 'AND' | 'OR' | 'NOT' | '(' | ')'; readonly start: number; readonly end: number }

/** The words of a text, folded, in order. */
export function foldedWords(text: string): string[] {
  return splitRuns(text.toUpperCase()).filter(isWord).map(foldWord)
}

class Reader {
  readonly #query: string
  readonly #tokens: readonly Token[]
  problem: QueryProblem | null = null
  #at = 0

  constructor(query: string) {
    this.#query = query
    this.#tokens = this.#tokenize()
  }

  #complain(message: string, start: number, end: number): void {
    this.problem ??= { message, start, end }
  }

  #tokenize(): Token[] {
    const tokens: Token[] = []
    const pieces = /"([^"]*)("?)(\*?)|[()]|-(?=[^\s()-])|[^\s()"]+/gu
    for (const match of this.#query.matchAll(pieces)) {
      const [piece, phrase, closing, star] = match
      const [start, end] = [match.index, match.index + piece.length]
      if (phrase !== undefined) {
        if (closing === '') this.#complain('this quotation mark is never closed', start, start + 1)
        this.#addWords(tokens, phrase, star === '*', start, end)
      } else if (piece === '(' || piece === ')') tokens.push({ kind: piece, start, end })
      else if (piece === '-') tokens.push({ kind: 'NOT', start, end })
      else if (piece === 'AND' || piece === 'OR' || piece === 'NOT') tokens.push({ kind: piece, start, end })
      else this.#addWords(tokens, piece, piece.endsWith('*'), start, end)
    }
    return tokens
  }

  #addWords(tokens: Token[], text: string, isPrefix: boolean, start: number, end: number): void {
    const words = foldedWords(text)
    if (words.length === 0) this.#complain(`${JSON.stringify(text)} has no letters or digits`, start, end)
    else tokens.push({ kind: 'words', words, isPrefix, start, end })
  }

  get #next(): Token | undefined {
    return this.#tokens[this.#at]
  }

  read(): WordNode | null {
    const nodes: WordNode[] = []
    for (;;) {
      const node = this.#either()
      if (node !== null) nodes.push(node)
      const stray = this.#next
      if (stray === undefined) break
      this.#complain('this bracket was never opened', stray.start, stray.end)
      this.#at += 1
    }
    return this.#joined('and', nodes)
  }

  #joined(kind: 'and' | 'or', nodes: readonly WordNode[]): WordNode | null {
    return nodes.length > 1 ? { kind, nodes } : (nodes[0] ?? null)
  }

  #either(): WordNode | null {
    const nodes: WordNode[] = []
    const first = this.#all()
    if (first !== null) nodes.push(first)
    while (this.#next?.kind === 'OR') {
      const { start, end } = this.#next
      this.#at += 1
      const node = this.#all()
      if (node === null || nodes.length === 0) this.#complain('OR stands between two words', start, end)
      if (node !== null) nodes.push(node)
    }
    return this.#joined('or', nodes)
  }

  #all(): WordNode | null {
    const nodes: WordNode[] = []
    for (;;) {
      const token = this.#next
      if (token === undefined || token.kind === ')' || token.kind === 'OR') break
      if (token.kind === 'AND') {
        this.#at += 1
        const isLast = this.#next === undefined || this.#next.kind === ')' || this.#next.kind === 'OR' || this.#next.kind === 'AND'
        if (nodes.length === 0 || isLast) this.#complain('AND stands between two words', token.start, token.end)
        continue
      }
      const node = this.#one()
      if (node !== null) nodes.push(node)
    }
    const wanted = nodes.filter(node => node.kind !== 'not')
    return wanted.length === 0 && nodes.length > 0
      ? this.#joined('and', nodes)
      : this.#joined('and', [...wanted, ...nodes.filter(node => node.kind === 'not')])
  }

  #one(): WordNode | null {
    const token = this.#next
    if (token === undefined) return null
    this.#at += 1
    if (token.kind === 'words') return { kind: 'phrase', words: token.words, isPrefix: token.isPrefix }
    if (token.kind === 'NOT') {
      const next = this.#next
      const follows = next !== undefined && (next.kind === 'words' || next.kind === '(' || next.kind === 'NOT')
      const node = follows ? this.#one() : null
      if (node === null) {
        this.#complain('a word or bracket follows NOT', token.start, token.end)
        return null
      }
      return node.kind === 'not' ? node.node : { kind: 'not', node }
    }
    const inside = this.#either()
    if (this.#next?.kind === ')') this.#at += 1
    else this.#complain('this bracket is never closed', token.start, token.end)
    if (inside === null) this.#complain('these brackets hold nothing', token.start, token.end)
    return inside
  }

  /** Says so where only what must not occur is asked for. */
  checkPositive(node: WordNode | null): WordNode | null {
    if (node === null || isPositive(node)) return node
    this.#complain('say also which words must occur, not only which must not', 0, this.#query.length)
    return null
  }
}

/** Whether a node asks for some word to occur: others hold of nearly every text. */
function isPositive(node: WordNode): boolean {
  if (node.kind === 'phrase') return true
  if (node.kind === 'not') return false
  return node.kind === 'and' ? node.nodes.some(isPositive) : node.nodes.every(isPositive)
}

/** Reads a query. Never throws. */
export function readWordQuery(query: string): WordQuery {
  const reader = new Reader(query)
  const node = reader.checkPositive(reader.read())
  return { node, problem: reader.problem }
}

/** Where a phrase begins among folded words; -1 where it does not occur. */
function indexOfPhrase(words: readonly string[], phrase: readonly string[], isPrefix: boolean, from: number): number {
  const last = phrase.length - 1
  for (let at = from; at + phrase.length <= words.length; at++) {
    const occurs = phrase.every((word, place) =>
      isPrefix && place === last ? words[at + place]?.startsWith(word) === true : words[at + place] === word
    )
    if (occurs) return at
  }
  return -1
}

/** Whether a text of these folded words is what a node asks for. */
export function holds(node: WordNode, words: readonly string[]): boolean {
  switch (node.kind) {
    case 'phrase':
      return indexOfPhrase(words, node.words, node.isPrefix, 0) !== -1
    case 'and':
      return node.nodes.every(inner => holds(inner, words))
    case 'or':
      return node.nodes.some(inner => holds(inner, words))
    case 'not':
      return !holds(node.node, words)
  }
}

function wantedPhrases(node: WordNode): Extract<WordNode, { kind: 'phrase' }>[] {
  if (node.kind === 'phrase') return [node]
  return node.kind === 'not' ? [] : node.nodes.flatMap(wantedPhrases)
}

/** Where the words that a node asks for stand in a text: [start, end) in UTF-16 units, in order, not overlapping. */
export function findWords(text: string, node: WordNode): [number, number][] {
  const found = wordsInPlace(text)
  const words = found.map(({ word }) => foldWord(word.toUpperCase()))
  const marked = new Set<number>()
  for (const { words: phrase, isPrefix } of wantedPhrases(node)) {
    for (let at = indexOfPhrase(words, phrase, isPrefix, 0); at !== -1; at = indexOfPhrase(words, phrase, isPrefix, at + 1)) {
      for (let place = at; place < at + phrase.length; place++) marked.add(place)
    }
  }
  return found.filter((_, place) => marked.has(place)).map(({ word, start }) => [start, start + word.length])
}
