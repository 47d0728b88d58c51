/** Literal search: hits are what pandas' `str.contains(q, case=False, regex=False)` finds, in the order of rows. */
import type { Database, Statement } from 'better-sqlite3'
import { noTerm } from './expression.ts'
import type { CountedQuestion } from './hit-counter.ts'
import { hasLongRun, longRunTerm } from './index-terms.ts'
import type { KnownTerms } from './known-terms.ts'
import { alternativesOf, type LiteralPlan, orLongRuns, planOf } from './literal-plan.ts'
import { containsUpper } from './matches.ts'
import type { RowFilter } from './row-filter.ts'
import { type Cancelled, narrowed, type TextRow, type TextWalk } from './text-walk.ts'
import { RememberedRuns, type Vocabulary } from './vocabulary.ts'

/** Texts looked at before the index is asked: where hits are dense that is quicker. */
const firstLook = 3000
/** Texts that are looked at in the time that asking for one term takes, some 50 us. */
const textsPerTerm = 100
/** Most that are looked at instead of asking, some 40 ms. */
const longestLook = 80_000
/** And those of a rough expression, before all that the index knows is asked for. */
const secondLook = 8000

export class LiteralSearch {
  readonly #walk: TextWalk
  readonly #vocabulary: Vocabulary
  readonly #terms: KnownTerms
  readonly #longRun: Statement<[string]>

  constructor(database: Database, walk: TextWalk, vocabulary: Vocabulary, terms: KnownTerms) {
    this.#walk = walk
    this.#vocabulary = vocabulary
    this.#terms = terms
    this.#longRun = database.prepare('SELECT 1 FROM text_index WHERE text_index MATCH ? LIMIT 1')
  }

  /** Up to `count` rows after a row: by looking at some texts first, then by what the index knows. Throws `search/cancelled`. */
  page(query: string, filter: RowFilter, after: number, count: number, cancelled: Cancelled): number[] {
    const upper = query.toUpperCase()
    const hits: number[] = []
    if (!canMatch(upper)) return hits
    const accepts = accept(upper, filter)
    const visit = ({ row }: TextRow) => {
      hits.push(row)
      return hits.length < count
    }
    const go = (expression: string | null, from: number, most: number) =>
      this.#walk.run({ expression, accepts }, filter.ranges, { from, most, cancelled }, visit)
    const isDone = (next: number | null): next is null => next === null || hits.length === count

    const afterFirst = go(null, after + 1, firstLook)
    if (isDone(afterFirst)) return hits
    // As long as asking would take, texts are looked at: so it takes at most twice as long as the better of the two.
    const runs = new RememberedRuns(this.#vocabulary)
    const looked = Math.min(longestLook, alternativesOf(upper, runs) * textsPerTerm)
    const afterLook = looked === 0 ? afterFirst : go(null, afterFirst, looked)
    if (isDone(afterLook)) return hits
    const plan = planOf(upper, runs, this.#terms)
    const afterRough = plan.rough === null ? afterLook : go(this.#expression(plan.rough, filter), afterLook, secondLook)
    if (!isDone(afterRough)) go(this.#expressionOf(plan, filter), afterRough, Number.POSITIVE_INFINITY)
    return hits
  }

  /** What to count; together every hit once. `isAnyRow` says that the filter asks nothing of rows that the index does not know. */
  questions(query: string, filter: RowFilter, isAnyRow: boolean): CountedQuestion[] {
    const upper = query.toUpperCase()
    if (!canMatch(upper)) return []
    const accepts = accept(upper, filter)
    const plan = planOf(upper, this.#vocabulary, this.#terms)
    if (!plan.isExact || !isAnyRow || plan.expression === null) {
      return [{ expression: this.#expressionOf(plan, filter), accepts, isExact: false }]
    }
    if (!this.#hasLongRuns) return [{ expression: narrowed(plan.expression, filter), accepts, isExact: true }]
    // Texts that the index knows too little of are counted apart, by looking.
    const isLong = `"${longRunTerm}"`
    return [
      {
        expression: narrowed(`(${plan.expression}) NOT ${isLong}`, filter),
        accepts: row => accepts(row) && !hasLongRun(row.description),
        isExact: true
      },
      { expression: narrowed(isLong, filter), accepts, isExact: false }
    ]
  }

  #expressionOf({ expression, isNone }: LiteralPlan, filter: RowFilter): string | null {
    const known = isNone ? noTerm : expression
    return known === null ? null : this.#expression(known, filter)
  }

  #expression(known: string, filter: RowFilter): string {
    return narrowed(this.#hasLongRuns ? orLongRuns(known) : known, filter)
  }

  get #hasLongRuns(): boolean {
    return this.#longRun.get(`"${longRunTerm}"`) !== undefined
  }
}

function canMatch(upperQuery: string): boolean {
  return upperQuery !== '' && upperQuery.isWellFormed()
}

function accept(upperQuery: string, { fits }: RowFilter): (row: TextRow) => boolean {
  return row => fits?.(row) !== false && containsUpper(row.description, upperQuery)
}
