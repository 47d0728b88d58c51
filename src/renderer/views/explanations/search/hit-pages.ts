/**
 * The hits of one search as a table needs them: any row can be asked for, a bounded number of pages is held, and those far from
 * sight are dropped and asked for again. A page is asked for by the nearest key known before it, passing over the hits between.
 */
import type { SearchHit, SearchResult } from '../../../../contract/explanations.ts'

export const pageSize = 100
/** Pages held: those in sight and around it. */
export const mostPages = 40
/** Hits passed over by one request; further jumps take several, each leaving a key behind. */
export const farthestSkip = 50_000

/** Asks for `limit` hits, `skip` behind a key; with null, behind the beginning. */
export type AskPage = (
  page: { after: string | null; skip: number; limit: number },
  signal: AbortSignal
) => Promise<Pick<SearchResult, 'hits' | 'nextKey' | 'startKey' | 'passed' | 'problem'>>

/** A request under way: the page it is for, and the one that a far jump has reached. */
type Asked = { readonly page: number; readonly abort: AbortController; reached: number }

export class HitPages {
  readonly #ask: AskPage
  readonly #changed: () => void
  readonly #pages = new Map<number, readonly SearchHit[]>()
  /** By page, the key behind which it begins. The first page has none. */
  readonly #keys = new Map<number, string>()
  #asked: Asked | null = null
  #wanted: readonly number[] = []
  #closed = false
  /** How many hits there are, once their end was seen. */
  end: number | null = null
  /** How many there are at least, as far as pages tell. */
  known = 0
  error: unknown = null

  /** `changed` is called whenever something that can be asked of this object has changed. */
  constructor(ask: AskPage, changed: () => void) {
    this.#ask = ask
    this.#changed = changed
  }

  /** The hit of a row; undefined where its page is not held. */
  at(row: number): SearchHit | undefined {
    const page = Math.floor(row / pageSize)
    return this.#pages.get(page)?.[row - page * pageSize]
  }

  get pagesHeld(): number {
    return this.#pages.size
  }

  /** While a far jump is under way, the row that it has reached and the one that it goes to. */
  get jump(): { reached: number; to: number } | null {
    const asked = this.#asked
    if (asked === null || asked.page - asked.reached <= farthestSkip / pageSize) return null
    return { reached: asked.reached * pageSize, to: asked.page * pageSize }
  }

  get isAsking(): boolean {
    return this.#asked !== null
  }

  /** Takes the first page, which came with the search itself. */
  begin({ hits, nextKey }: Pick<SearchResult, 'hits' | 'nextKey'>): void {
    this.#store(0, hits, nextKey)
  }

  /** Says which rows `[first, end)` are in sight: what is missing of them is asked for, then a page on either side. */
  show(first: number, end: number): void {
    const from = Math.max(0, Math.floor(first / pageSize))
    const to = Math.max(from, Math.floor((end - 1) / pageSize))
    const inSight = Array.from({ length: to - from + 1 }, (_, at) => from + at)
    this.#wanted = [...inSight, to + 1, from - 1].filter(page => page >= 0 && !this.#isBeyondEnd(page))
    this.#drop(from, to)
    const asked = this.#asked
    if (asked !== null && !this.#wanted.includes(asked.page)) {
      asked.abort.abort()
      this.#asked = null
    }
    this.#next()
  }

  /** Asks again after a failure. */
  retry(): void {
    this.error = null
    this.#next()
  }

  /** Stops asking; nothing changes any more. */
  close(): void {
    this.#closed = true
    this.#asked?.abort.abort()
    this.#asked = null
  }

  #isBeyondEnd(page: number): boolean {
    return this.end !== null && page > 0 && page * pageSize >= this.end
  }

  #drop(from: number, to: number): void {
    if (this.#pages.size <= mostPages) return
    const distance = (page: number) => Math.max(from - page, page - to, 0)
    const farthest = [...this.#pages.keys()].sort((one, other) => distance(other) - distance(one))
    for (const page of farthest.slice(0, this.#pages.size - mostPages)) this.#pages.delete(page)
  }

  /** The nearest page at or before one whose key is known. */
  #nearest(page: number): number {
    if (this.#keys.has(page)) return page
    let nearest = 0
    for (const known of this.#keys.keys()) if (known <= page && known > nearest) nearest = known
    return nearest
  }

  #next(): void {
    if (this.#closed || this.#asked !== null || this.error !== null) return
    const page = this.#wanted.find(wanted => !this.#pages.has(wanted) && !this.#isBeyondEnd(wanted))
    if (page === undefined) return
    const asked: Asked = { page, abort: new AbortController(), reached: this.#nearest(page) }
    this.#asked = asked
    void this.#fetch(asked)
    this.#changed()
  }

  async #fetch(asked: Asked): Promise<void> {
    try {
      while (this.#asked === asked && !this.#isBeyondEnd(asked.page)) {
        const from = this.#nearest(asked.page)
        const skip = Math.min((asked.page - from) * pageSize, farthestSkip)
        const isThere = from + skip / pageSize === asked.page
        const limit = isThere ? pageSize : 1
        const result = await this.#ask({ after: this.#keys.get(from) ?? null, skip, limit }, asked.abort.signal)
        if (this.#asked !== asked || this.#closed) return
        const reached = from + skip / pageSize
        if (result.passed < skip || (result.hits.length === 0 && skip > 0)) {
          this.#finish(from * pageSize + result.passed)
          break
        }
        if (result.startKey !== null) this.#keys.set(reached, result.startKey)
        asked.reached = reached
        if (isThere) {
          this.#store(asked.page, result.hits, result.nextKey)
          break
        }
        this.#changed()
      }
    } catch (thrown) {
      if (this.#asked !== asked || this.#closed || asked.abort.signal.aborted) return
      this.error = thrown
    }
    if (this.#asked === asked) this.#asked = null
    this.#changed()
    this.#next()
  }

  #store(page: number, hits: readonly SearchHit[], nextKey: string | null): void {
    this.#pages.set(page, hits)
    const end = page * pageSize + hits.length
    this.known = Math.max(this.known, nextKey === null ? end : end + 1)
    if (nextKey === null) this.#finish(end)
    else this.#keys.set(page + 1, nextKey)
    this.#changed()
  }

  #finish(end: number): void {
    this.end = end
    this.known = end
    this.#changed()
  }
}
