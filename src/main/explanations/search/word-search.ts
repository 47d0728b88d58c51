/** Word search: hits are ranked, those with more of the alternatives first, then shorter texts, then in the order of rows. */
import { SpliceError } from '../../../contract/errors.ts'
import type { CountedQuestion } from './hit-counter.ts'
import { lengthTerm, mostWords } from './index-terms.ts'
import type { KnownIndex } from './known-terms.ts'
import type { RowFilter } from './row-filter.ts'
import { type Cancelled, narrowed, type Question, type TextRow, type TextWalk } from './text-walk.ts'
import { planOfWords, type WordPlan, type WordTier } from './word-plan.ts'
import { foldedWords, type WordNode } from './word-query.ts'

/** How long hits are ranked by the length of their texts before the rest comes as it is, in ms. */
const rankingTime = 40

/** Where a page ended; with `isRest`, among texts longer than `length`. */
interface RankKey {
  readonly isRest: boolean
  readonly matches: number
  readonly length: number
  readonly row: number
}

export interface RankedRow {
  readonly row: number
  /** The page after this row begins with it. */
  readonly key: string
}

const keyPattern = /^(rank|rest):(\d{1,2}):(\d{1,2}):(\d{1,15})$/

function writeKey({ isRest, matches, length, row }: RankKey): string {
  return `${isRest ? 'rest' : 'rank'}:${matches}:${length}:${row}`
}

function readKey(after: string | undefined): RankKey | null {
  if (after === undefined) return null
  const [, kind, matches, length, row] = keyPattern.exec(after) ?? []
  if (kind === undefined) throw noSuchPage(after)
  return { isRest: kind === 'rest', matches: Number(matches), length: Number(length), row: Number(row) }
}

/** The error for a key that is none. */
export function noSuchPage(after: string): SpliceError {
  return new SpliceError('search/key', `"${after}" is no key of a next page`, {
    field: 'after',
    hint: 'Give the nextKey of the page before, with the same query and mode.'
  })
}

export class WordSearch {
  readonly #walk: TextWalk
  readonly #index: KnownIndex

  constructor(walk: TextWalk, index: KnownIndex) {
    this.#walk = walk
    this.#index = index
  }

  /**
   * Up to `count` rows after a key, best first: tier by tier, within it from the shortest texts on. Where that takes long, the rest
   * of a tier, texts longer than the key says, comes in the order of rows. Throws `search/key`, `search/cancelled`.
   */
  page(node: WordNode, filter: RowFilter, after: string | undefined, count: number, cancelled: Cancelled): RankedRow[] {
    const key = readKey(after)
    const plan = planOfWords(node, this.#index)
    const until = performance.now() + rankingTime
    const hits: RankedRow[] = []
    for (const tier of plan.tiers) {
      if (key !== null && tier.matches > key.matches) continue
      this.#addTier(tier, plan, filter, key?.matches === tier.matches ? key : null, until, count, cancelled, hits)
      if (hits.length === count) break
    }
    return hits
  }

  #addTier(
    tier: WordTier,
    plan: WordPlan,
    filter: RowFilter,
    key: RankKey | null,
    until: number,
    count: number,
    cancelled: Cancelled,
    hits: RankedRow[]
  ): void {
    const fits = accept(tier, plan, filter)
    const { contains } = plan
    const collect = (length: number, isRest: boolean, question: Question) => {
      const from = key?.length === length && key.isRest === isRest ? key.row + 1 : 0
      this.#walk.run(question, filter.ranges, { from, cancelled }, ({ row }) => {
        hits.push({ row, key: writeKey({ isRest, matches: tier.matches, length, row }) })
        return hits.length < count
      })
    }
    const addRest = (longest: number) => {
      const accepts = (row: TextRow) => fits(row) && foldedWords(row.description).length > longest
      collect(longest, true, { expression: tier.expression === null ? null : narrowed(tier.expression, filter), contains, accepts })
    }
    if (key?.isRest === true) {
      addRest(key.length)
      return
    }
    for (let length = key?.length ?? 1; length <= mostWords && hits.length < count; length++) {
      if (length > 1 && performance.now() > until) {
        addRest(length - 1)
        return
      }
      collect(length, false, { expression: ofLength(tier, length, filter), contains, accepts: fits })
    }
  }

  /** What to count; see LiteralSearch.questions. */
  questions(node: WordNode, filter: RowFilter, isAnyRow: boolean): CountedQuestion[] {
    const plan = planOfWords(node, this.#index)
    const { contains } = plan
    const last = plan.tiers.at(-1)
    if (last === undefined) return []
    const accepts = (row: TextRow) => filter.fits?.(row) !== false && plan.count(foldedWords(row.description)) >= last.matches
    if (last.expression === null) return [{ expression: null, contains, accepts, isExact: false }]
    return [{ expression: narrowed(last.expression, filter), contains, accepts, isExact: last.isExact && isAnyRow }]
  }
}

function ofLength({ expression }: WordTier, length: number, filter: RowFilter): string {
  const term = `"${lengthTerm(length)}"`
  return narrowed(expression === null ? term : `${expression} AND ${term}`, filter)
}

function accept(tier: WordTier, plan: WordPlan, filter: RowFilter): (row: TextRow) => boolean {
  const isTold = tier.isExact && plan.tiers.length === 1
  return row => filter.fits?.(row) !== false && (isTold || plan.count(foldedWords(row.description)) === tier.matches)
}
