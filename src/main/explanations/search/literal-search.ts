/** Literal search: hits are what pandas' `str.contains(q, case=False, regex=False)` finds, in the order of rows. */
import type { Database, Statement } from 'better-sqlite3'
import type { CountedQuestion } from './hit-counter.ts'
import { hasLongRun, longRunTerm } from './index-terms.ts'
import type { KnownIndex } from './known-terms.ts'
import { orLongRuns, planOf } from './literal-plan.ts'
import { containsUpper } from './matches.ts'
import type { RowFilter } from './row-filter.ts'
import { type Cancelled, narrowed, type TextRow, type TextWalk } from './text-walk.ts'

/** Texts that could be passed over in the time that making a plan takes, some 4 ms. */
const planCost = 30_000
/** And in the time that one which the index found is looked at. */
const passedPerLookup = 8

export class LiteralSearch {
  readonly #walk: TextWalk
  readonly #index: KnownIndex
  readonly #longRun: Statement<[string]>

  constructor(database: Database, walk: TextWalk, index: KnownIndex) {
    this.#walk = walk
    this.#index = index
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
    let next: number | null = after + 1
    /** Looks at texts as long as hits are so dense that the rest of the page will come before `worth` texts were looked at. */
    const look = (expression: string | null, worth: number, before = { looked: 0, hits: hits.length }) => {
      const isEnough = (here: number) => {
        looked = before.looked + here
        return looked >= worth || (looked / (hits.length - before.hits + 1)) * (count - hits.length) >= worth
      }
      let looked = before.looked
      const options = { from: next ?? 0, cancelled, isEnough }
      if (next !== null && !isEnough(0)) next = this.#walk.run({ expression, contains: [upper], accepts }, filter.ranges, options, visit)
      if (hits.length === count) next = null
      return looked
    }
    const looked = look(null, planCost)
    if (next === null) return hits
    const { steps } = planOf(upper, this.#index)
    look(null, steps[0]?.cost ?? Number.POSITIVE_INFINITY, { looked, hits: 0 })
    for (const [at, { expression }] of steps.entries()) {
      look(this.#expression(expression, filter), (steps[at + 1]?.cost ?? Number.POSITIVE_INFINITY) / passedPerLookup)
    }
    return hits
  }

  /** What to count; together every hit once. `isAnyRow` says that the filter asks nothing of rows that the index does not know. */
  questions(query: string, filter: RowFilter, isAnyRow: boolean): CountedQuestion[] {
    const upper = query.toUpperCase()
    if (!canMatch(upper)) return []
    const accepts = accept(upper, filter)
    const plan = planOf(upper, this.#index)
    const known = plan.steps.at(-1)?.expression
    if (!plan.isExact || !isAnyRow || known === undefined) {
      return [{ expression: known === undefined ? null : this.#expression(known, filter), contains: [upper], accepts, isExact: false }]
    }
    if (!this.#hasLongRuns) return [{ expression: narrowed(known, filter), contains: [upper], accepts, isExact: true }]
    // Texts that the index knows too little of are counted apart, by looking.
    const isLong = `"${longRunTerm}"`
    return [
      {
        expression: narrowed(`(${known}) NOT ${isLong}`, filter),
        contains: [upper],
        accepts: row => accepts(row) && !hasLongRun(row.description),
        isExact: true
      },
      { expression: narrowed(isLong, filter), contains: [upper], accepts, isExact: false }
    ]
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
