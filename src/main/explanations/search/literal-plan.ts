/** A literal query as expressions of the text index. Whatever they find is looked at; what they do not find does not match. */

import { either, noTerm } from './expression.ts'
import { backwardPairTerm, encodePiece, longRunTerm, pairTerm, patternsOf, type RunPattern } from './index-terms.ts'
import type { KnownIndex } from './known-terms.ts'
import type { Vocabulary } from './vocabulary.ts'

/** More runs than this are not asked for one by one: a piece that so many share is found soon by looking at texts. */
const mostRuns = 5000
/** Starts of terms that take no more pages may always be asked for. */
const cheapPages = 8
/** And those that take more than this never, but where nothing else is known. */
const mostPages = 600
/** Or so many times those of the smallest clause: looking at all it finds takes some 3 ms a page, merging a start's rows 0.25 ms. */
const dearestStart = 12

/** Texts that are passed over one after the other in the time that asking for one term takes, some 10 us. */
const textsPerTerm = 80
/** And in the time that merging a page of a start's rows takes, some 250 us. */
const textsPerPage = 2000

/** An expression, and what passes before it finds its first text: as many texts could be passed over one after the other meanwhile. */
export interface Step {
  readonly expression: string
  readonly cost: number
}

export interface LiteralPlan {
  /** What to ask the index, each step finding no more texts than the one before and costing more; empty where it knows nothing. */
  readonly steps: readonly Step[]
  /** True where every text that the last step finds matches, but for texts with runs that are too long. */
  readonly isExact: boolean
}

const unknown: LiteralPlan = { steps: [], isExact: false }
/** No text matches, but perhaps one with a run that is too long. */
const none: LiteralPlan = { steps: [{ expression: noTerm, cost: 0 }], isExact: false }

function planOfAny(expressions: readonly string[], isExact: boolean): LiteralPlan {
  return { steps: [{ expression: either(expressions), cost: expressions.length * textsPerTerm }], isExact }
}

function exact(term: string): string {
  return `"${term}"`
}

function starting(term: string): string {
  return `"${term}"*`
}

/** One run, cut at one end or both or at none. */
function planOfRun(pattern: RunPattern, vocabulary: Vocabulary): LiteralPlan {
  const { run, start, end } = pattern
  if (start && end) return planOfAny([exact(encodePiece(run))], false)
  const runs = vocabulary.matching(pattern, mostRuns)
  if (runs === null) return unknown
  if (runs.length === 0) return none
  return planOfAny(
    runs.map(found => exact(encodePiece(found))),
    !start && !end
  )
}

/** Two runs, both cut: the fewer of those that may stand on one side say which pairs to ask for. */
function planOfCutPair(left: RunPattern, right: RunPattern, vocabulary: Vocabulary): LiteralPlan {
  const lefts = vocabulary.matching(left, mostRuns)
  const rights = vocabulary.matching(right, mostRuns)
  if (lefts?.length === 0 || rights?.length === 0) return none
  const isByLeft = lefts !== null && (rights === null || lefts.length <= rights.length)
  const pairs = isByLeft ? lefts.map(found => pairTerm(found, right.run)) : rights?.map(found => backwardPairTerm(left.run, found))
  return pairs === undefined ? unknown : planOfAny(pairs.map(starting), false)
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
 * Clauses in steps. Rows of a whole term come as they are asked for; starts of terms are merged whole before the first text is found.
 * So whole terms come first, then the starts with the fewest rows; those are left out that cost more than they spare.
 */
function stepsOf(clauses: readonly SizedClause[]): Step[] {
  const smallest = Math.min(...clauses.map(({ pages }) => pages))
  const affordable = Math.max(cheapPages, Math.min(mostPages, dearestStart * smallest))
  const whole = clauses.filter(({ isStart }) => !isStart)
  const starts = clauses
    .filter(({ isStart, pages }) => isStart && (pages <= affordable || pages === smallest))
    .sort((a, b) => a.pages - b.pages)
  const steps: Step[] = []
  for (let asked = whole.length > 0 ? 0 : 1; asked <= starts.length; asked++) {
    const here = starts.slice(0, asked)
    steps.push({
      expression: [...whole.map(({ term }) => exact(term)), ...here.map(({ term }) => starting(term))].join(' AND '),
      cost: here.reduce((sum, { pages }) => sum + pages, 0) * textsPerPage
    })
  }
  return steps
}

/** The plan of an upper-cased query that is not empty. */
export function planOf(upperQuery: string, { vocabulary, terms }: KnownIndex): LiteralPlan {
  const patterns = patternsOf(upperQuery)
  const [first, second] = patterns
  if (first === undefined) return unknown
  if (second === undefined) return planOfRun(first, vocabulary)
  if (patterns.length === 2 && !first.start && !second.end) return planOfCutPair(first, second, vocabulary)
  const clauses = patterns.slice(1).map((right, at) => clauseOfPair(patterns[at] ?? right, right))
  if (clauses.some(({ term, isStart }) => !terms.has(term, isStart))) return none
  return { ...unknown, steps: stepsOf(clauses.map(clause => ({ ...clause, pages: terms.pages(clause.term, clause.isStart) }))) }
}

/** An expression that also finds the texts the index knows too little of. */
export function orLongRuns(expression: string): string {
  return `(${expression}) OR ${exact(longRunTerm)}`
}
