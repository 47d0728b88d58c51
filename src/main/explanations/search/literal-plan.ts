/** A literal query as expressions of the text index. Whatever they find is looked at; what they do not find does not match. */

import { either } from './expression.ts'
import { backwardPairTerm, encodePiece, longRunTerm, pairTerm, patternsOf, type RunPattern } from './index-terms.ts'
import type { KnownTerms } from './known-terms.ts'
import type { RunFinder } from './vocabulary.ts'

/** More runs than this are not asked for one by one: a piece that so many share is found soon by looking at texts. */
const mostRuns = 5000
/** Starts of terms that take no more pages are always asked for. */
const cheapPages = 8
/** And those that take more than this never, but where nothing else is known. */
const mostPages = 600

export interface LiteralPlan {
  /** What is quickly asked, to be tried first where hits may be dense; null where it is the same as `expression`. */
  readonly rough: string | null
  /** What the index knows of the query; null where that is nothing. */
  readonly expression: string | null
  /** True where every text that `expression` finds matches, but for texts with runs that are too long. */
  readonly isExact: boolean
  /** True where no text matches, but perhaps one with a run that is too long. */
  readonly isNone: boolean
}

const unknown: LiteralPlan = { rough: null, expression: null, isExact: false, isNone: false }
const none: LiteralPlan = { rough: null, expression: null, isExact: false, isNone: true }

function exact(term: string): string {
  return `"${term}"`
}

function starting(term: string): string {
  return `"${term}"*`
}

/** One run, cut at one end or both or at none. */
function planOfRun(pattern: RunPattern, vocabulary: RunFinder): LiteralPlan {
  const { run, start, end } = pattern
  if (start && end) return { ...unknown, expression: exact(encodePiece(run)) }
  const runs = vocabulary.matching(pattern, mostRuns)
  if (runs === null) return unknown
  if (runs.length === 0) return none
  return { ...unknown, expression: either(runs.map(found => exact(encodePiece(found)))), isExact: !start && !end }
}

/** Two runs, both cut: the fewer of those that may stand on one side say which pairs to ask for. Null where both are many. */
function cutPair(left: RunPattern, right: RunPattern, vocabulary: RunFinder, terms: KnownTerms): string | 'none' | null {
  const lefts = vocabulary.matching(left, mostRuns)
  const rights = vocabulary.matching(right, mostRuns)
  if (lefts?.length === 0 || rights?.length === 0) return 'none'
  const isByLeft = lefts !== null && (rights === null || lefts.length <= rights.length)
  const pairs = isByLeft ? lefts.map(found => pairTerm(found, right.run)) : rights?.map(found => backwardPairTerm(left.run, found))
  if (pairs === undefined) return null
  const known = pairs.filter(pair => terms.has(pair, true))
  return known.length === 0 ? 'none' : either(known.map(starting))
}

/** A term of the index that a text must have; with `isStart`, some term that starts so. */
interface Clause {
  readonly term: string
  readonly isStart: boolean
}

type SizedClause = Clause & { readonly pages: number }

function clauseOfPair(left: RunPattern, right: RunPattern): Clause {
  if (left.start) return { term: pairTerm(left.run, right.run), isStart: !right.end }
  return { term: backwardPairTerm(left.run, right.run), isStart: true }
}

/**
 * The clauses worth asking for. Starts of terms are merged whole before the first text is found, some 50 us a page; without them
 * more texts are looked at, as many as the smallest clause has rows, some 3 ms a page. `factor` is how much larger than the
 * smallest clause they may be.
 */
function worthwhile(clauses: readonly SizedClause[], factor: number): string {
  const smallest = Math.min(...clauses.map(({ pages }) => pages))
  const affordable = Math.max(cheapPages, Math.min(mostPages, factor * smallest))
  const wanted = clauses.filter(({ isStart, pages }) => !isStart || pages <= affordable || pages === smallest)
  return wanted.map(({ term, isStart }) => (isStart ? starting(term) : exact(term))).join(' AND ')
}

/**
 * How many terms the plan of an upper-cased query would ask for one by one, because its runs are cut: where they are many, hits are
 * dense as a rule, and looking at texts finds them sooner. 0 where it asks for a few.
 */
export function alternativesOf(upperQuery: string, vocabulary: RunFinder): number {
  const patterns = patternsOf(upperQuery)
  const [first, second] = patterns
  if (first === undefined || patterns.length > 2) return 0
  const isByRuns = second === undefined ? !(first.start && first.end) : !first.start && !second.end
  if (!isByRuns) return 0
  const sizes = patterns.map(pattern => vocabulary.matching(pattern, mostRuns)?.length ?? mostRuns)
  return Math.min(...sizes)
}

/** The plan of an upper-cased query that is not empty. */
export function planOf(upperQuery: string, vocabulary: RunFinder, terms: KnownTerms): LiteralPlan {
  const patterns = patternsOf(upperQuery)
  const [first, second] = patterns
  if (first === undefined) return unknown
  if (second === undefined) return planOfRun(first, vocabulary)
  if (patterns.length === 2 && !first.start && !second.end) {
    const pair = cutPair(first, second, vocabulary, terms)
    if (pair === 'none') return none
    return pair === null ? unknown : { ...unknown, expression: pair }
  }
  const clauses = patterns.slice(1).map((right, at) => clauseOfPair(patterns[at] ?? right, right))
  if (clauses.some(({ term, isStart }) => !terms.has(term, isStart))) return none
  const sized = clauses.map(clause => ({ ...clause, pages: terms.pages(clause.term, clause.isStart) }))
  const [rough, expression] = [worthwhile(sized, 2), worthwhile(sized, 12)]
  return { ...unknown, rough: rough === expression ? null : rough, expression }
}

/** An expression that also finds the texts the index knows too little of. */
export function orLongRuns(expression: string): string {
  return `(${expression}) OR ${exact(longRunTerm)}`
}
