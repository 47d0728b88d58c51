/** Counts hits by source, explainer and type, as far as time allows. */
import type { Database, Statement } from 'better-sqlite3'
import { z } from 'zod'
import { sourceOfRow } from '../rowids.ts'
import type { RowRange } from './row-filter.ts'
import { type Cancelled, inRange, type Question, type TextWalk, throwIfCancelled } from './text-walk.ts'

/** A question whose hits are to be counted. */
export interface CountedQuestion extends Question {
  /** Whether every text that the expression finds is a hit. */
  readonly isExact: boolean
}

export interface HitCount {
  readonly source: number
  readonly explainer: number | null
  readonly type: number | null
  hits: number
}

/** Texts looked at before the index is asked: where most texts are hits, looking is quicker than the index. */
const firstLook = 2000
/** Rows that one statement counts at first; more as long as that takes less than `statementTime`, in ms. */
const firstWindow = 4096
const largestWindow = 2 ** 20
const statementTime = 20

const countRow = z.object({ explainer: z.number().nullable(), type: z.number().nullable(), hits: z.number() })

export class HitCounter {
  readonly #walk: TextWalk
  readonly #count: Statement<[string, number, number]>
  readonly #next: Statement<[string, number, number]>

  constructor(database: Database, walk: TextWalk) {
    this.#walk = walk
    this.#count = database.prepare(
      `SELECT e.explainer, e.type, count(*) AS hits FROM text_index i CROSS JOIN explanations e ON e.rowid = i.rowid
       WHERE text_index MATCH ? AND ${inRange('i.rowid')} GROUP BY e.explainer, e.type`
    )
    this.#next = database
      .prepare<[string, number, number]>(
        `SELECT rowid FROM text_index WHERE text_index MATCH ? AND ${inRange('rowid')} ORDER BY rowid LIMIT 1`
      )
      .pluck()
  }

  /** Counts for some time, in ms. `isWhole` is false where that was too short. Throws `search/cancelled`. */
  run(questions: readonly CountedQuestion[], ranges: readonly RowRange[], milliseconds: number, cancelled: Cancelled) {
    const tally = new Tally(milliseconds, cancelled)
    const isWhole = questions.every(question => this.#one(question, ranges, tally))
    return { total: tally.total, isWhole, counts: tally.counts }
  }

  #one(question: CountedQuestion, ranges: readonly RowRange[], tally: Tally): boolean {
    const { expression, isExact } = question
    if (!isExact || expression === null) return this.#byLooking(question, ranges, 0, Number.POSITIVE_INFINITY, tally) === null
    const before = tally.total
    const next = this.#byLooking({ ...question, expression: null }, ranges, 0, firstLook, tally)
    if (next === null || next === 'over') return next === null
    if (tally.total - before > firstLook / 2) {
      return this.#byLooking({ ...question, expression: null }, ranges, next, Number.POSITIVE_INFINITY, tally) === null
    }
    return this.#byIndex(expression, ranges, next, tally)
  }

  /** Null after the last text, the row to go on from after `most` texts, or `over` when time is. */
  #byLooking(question: Question, ranges: readonly RowRange[], from: number, most: number, tally: Tally): number | null | 'over' {
    let isOver = false
    const isEnough = (looked: number) => {
      isOver = tally.isOver
      return isOver || looked >= most
    }
    const next = this.#walk.run(question, ranges, { from, cancelled: () => false, isEnough }, row => {
      tally.add(row.source, row.explainer, row.type, 1)
      return true
    })
    return isOver ? 'over' : next
  }

  /** Counts without looking at texts, a piece of a source at a time. */
  #byIndex(expression: string, ranges: readonly RowRange[], start: number, tally: Tally): boolean {
    let window = firstWindow
    for (const { first, end } of ranges) {
      for (let from: unknown = this.#next.get(expression, Math.max(first, start), end); typeof from === 'number'; ) {
        if (tally.isOver) return false
        const started = performance.now()
        const source = sourceOfRow(from)
        const to = Math.min(end, from + window, (source + 1) * 2 ** 32)
        for (const row of this.#count.all(expression, from, to)) {
          const { explainer, type, hits } = countRow.parse(row)
          tally.add(source, explainer, type, hits)
        }
        const isQuick = performance.now() - started < statementTime
        window = isQuick ? Math.min(largestWindow, window * 2) : Math.max(firstWindow, window / 2)
        from = this.#next.get(expression, to, end)
      }
    }
    return true
  }
}

/** Hits by source, explainer and type, with a clock. */
class Tally {
  readonly #counts = new Map<string, HitCount>()
  readonly #deadline: number
  readonly #cancelled: Cancelled
  total = 0

  constructor(milliseconds: number, cancelled: Cancelled) {
    this.#deadline = performance.now() + milliseconds
    this.#cancelled = cancelled
  }

  /** Whether time is over. Throws `search/cancelled`. */
  get isOver(): boolean {
    throwIfCancelled(this.#cancelled)
    return performance.now() >= this.#deadline
  }

  add(source: number, explainer: number | null, type: number | null, hits: number): void {
    const key = `${source} ${explainer} ${type}`
    const known = this.#counts.get(key)
    if (known === undefined) this.#counts.set(key, { source, explainer, type, hits })
    else known.hits += hits
    this.total += hits
  }

  get counts(): HitCount[] {
    return [...this.#counts.values()]
  }
}
