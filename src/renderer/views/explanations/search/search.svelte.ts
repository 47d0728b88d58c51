/** The search over the mirror: what is asked, its hits page by page, how many there are. It outlives the view, so that Back finds it. */
import type { ErrorData } from '../../../../contract/errors.ts'
import type { CountResult, QueryProblem, SearchHit, SearchResult } from '../../../../contract/explanations.ts'
import { client, errorOf } from '../../../state/connection.svelte.ts'
import { featureHref, hashOf, navigation } from '../../../state/navigation.svelte.ts'
import { notebook } from '../../../state/notebook.svelte.ts'
import { HitPages, pageSize } from './hit-pages.ts'
import {
  addressOf,
  hasSameHits,
  isFiltered,
  isSame,
  noFilters,
  noQuestion,
  type Question,
  readAddress,
  requestOf,
  sortHits
} from './question.ts'

/** How long typing must rest before the address follows, and before a search is kept among the recent ones. Milliseconds. */
const addressRest = 250
const historyRest = 1500
/** How long hits are counted by themselves, and when asked to go on. */
const countTime = 3000
const longCountTime = 60_000
/** The most hits that are sorted: all of them have to be here. */
export const sortLimit = 10_000
/** The most hits that Copy fetches. */
export const copyLimit = 5000
const fetchSize = 1000

/** A feature's source as the mirror names it. */
export function sourceOfHit(hit: Pick<SearchHit, 'model' | 'layer'>): string {
  return `${hit.model}/${hit.layer}`
}

/** The key of a keyed source in `SearchHit`s; also the key of marks. */
export function keyOfHit(hit: Pick<SearchHit, 'model' | 'layer' | 'index'>): string {
  return `${sourceOfHit(hit)}/${hit.index}`
}

class ExplanationSearch {
  question = $state.raw<Question>(noQuestion)
  /** The question that the hits answer; null before the first answer and without a query. */
  answered = $state.raw<Question | null>(null)
  /** How long the first page took, in ms. */
  milliseconds = $state<number | null>(null)
  problem = $state.raw<QueryProblem | null>(null)
  count = $state.raw<CountResult | null>(null)
  counting = $state(false)
  searching = $state(false)
  error = $state.raw<ErrorData | null>(null)
  /** All hits in the order of a column, or how many of them are here yet. */
  sorted = $state.raw<SearchHit[] | null>(null)
  sorting = $state<number | null>(null)
  /** The row that the arrow keys reached; -1 for none. */
  active = $state(-1)
  /** Where the list was scrolled to, for coming back. Pixels of the list. */
  top = 0

  /** Counts changes of the pages: what reads rows reads this too. */
  #version = $state(0)
  #pages = $state.raw<HitPages | null>(null)
  #abort: AbortController | null = null
  #countAbort: AbortController | null = null
  #sortAbort: AbortController | null = null
  /** Explanations in the mirror when the hits came. */
  #mirrored: number | null = null
  #addressTimer: ReturnType<typeof setTimeout> | undefined
  #historyTimer: ReturnType<typeof setTimeout> | undefined

  /** Whether anything but the query narrows the search. */
  get filtered(): boolean {
    return isFiltered(this.question)
  }

  /** How many rows the table has: all hits where that is known, else as many as there are at least. */
  get rows(): number {
    void this.#version
    if (this.sorted !== null) return this.sorted.length
    const pages = this.#pages
    if (pages === null) return 0
    return pages.end ?? Math.max(pages.known, this.count?.total ?? 0)
  }

  /** Whether `rows` are all hits. */
  get rowsAreAll(): boolean {
    void this.#version
    return this.sorted !== null || (this.#pages?.end ?? null) !== null || this.count?.totalIsExact === true
  }

  /** A row's hit; undefined while its page is not here. */
  at(row: number): SearchHit | undefined {
    void this.#version
    return this.sorted === null ? this.#pages?.at(row) : this.sorted[row]
  }

  /** While a far jump is under way, the row that it has reached and the one that it goes to. */
  get jump(): { reached: number; to: number } | null {
    void this.#version
    return this.#pages?.jump ?? null
  }

  get pageError(): ErrorData | null {
    void this.#version
    const error = this.#pages?.error ?? null
    return error === null ? null : errorOf(error)
  }

  /** Whether all hits are few enough to be sorted. */
  get sortable(): boolean {
    return this.rowsAreAll && this.rows <= sortLimit
  }

  /** Says which rows are in sight. */
  show(first: number, end: number): void {
    if (this.sorted === null) this.#pages?.show(first, end)
  }

  /** Asks for pages again after a failure. */
  retryPages(): void {
    this.#pages?.retry()
  }

  /** Asks something else; what was under way is cancelled at once. */
  ask(change: Partial<Question>): void {
    const before = this.question
    this.question = { ...before, ...change }
    if (!hasSameHits(before, this.question)) {
      if (change.sort === undefined) this.question = { ...this.question, sort: null }
      this.#restart()
    } else this.#sort()
    clearTimeout(this.#addressTimer)
    this.#addressTimer = setTimeout(() => this.#writeAddress(), addressRest)
  }

  /** Narrows by nothing any more. */
  clearFilters(): void {
    this.ask(noFilters)
  }

  /** Takes the question from the address, as after Back or a link. */
  read(values: Readonly<Record<string, string>>): void {
    const asked = readAddress(values)
    if (isSame(asked, this.question)) {
      if (this.answered === null && asked.query !== '' && !this.searching) this.#restart()
      return
    }
    clearTimeout(this.#addressTimer)
    const before = this.question
    this.question = asked
    if (hasSameHits(before, asked) && this.answered !== null) this.#sort()
    else this.#restart()
  }

  /** Asks the same again. */
  again(): void {
    this.#restart()
  }

  /** Hears how many explanations there are, when nothing is being imported: hits that came with fewer or more are asked for again. */
  follow(explanations: number): void {
    const before = this.#mirrored
    this.#mirrored = explanations
    if (before !== null && before !== explanations && this.answered !== null) this.#restart()
  }

  /** The address that carries the present question. */
  get href(): string {
    return hashOf('explanations', [], addressOf(this.question))
  }

  #writeAddress(): void {
    const { view, parts } = navigation.route
    if (view === 'explanations' && parts.length === 0) navigation.go(this.href, { replace: true })
  }

  /** Writes the address now rather than when typing rests: before leaving the view. */
  settle(): void {
    clearTimeout(this.#addressTimer)
    this.#writeAddress()
  }

  #stop(): void {
    this.#abort?.abort()
    this.#countAbort?.abort()
    this.#sortAbort?.abort()
    this.#abort = null
    clearTimeout(this.#historyTimer)
    this.counting = false
    this.sorting = null
  }

  #restart(): void {
    this.#stop()
    if (this.question.query === '') {
      this.#pages?.close()
      this.#pages = null
      this.answered = null
      this.count = null
      this.sorted = null
      this.problem = null
      this.active = -1
      this.error = null
      this.searching = false
      return
    }
    this.searching = true
    void this.#search()
  }

  #ask(question: Question, page: { after: string | null; skip: number; limit: number }, signal?: AbortSignal): Promise<SearchResult> {
    const { after, skip, limit } = page
    return client.explanations.search(
      { ...requestOf(question), limit, countFor: 0, ...(after === null ? {} : { after }), ...(skip === 0 ? {} : { skip }) },
      { signal }
    )
  }

  async #search(): Promise<void> {
    const abort = new AbortController()
    this.#abort = abort
    const question = this.question
    try {
      const result = await this.#ask(question, { after: null, skip: 0, limit: pageSize }, abort.signal)
      if (abort.signal.aborted) return
      this.#pages?.close()
      const pages = new HitPages(
        (page, signal) => this.#ask(question, page, signal),
        () => {
          this.#version += 1
        }
      )
      pages.begin(result)
      this.#pages = pages
      this.answered = question
      this.milliseconds = result.milliseconds
      this.problem = result.problem
      this.count = null
      this.sorted = null
      this.active = -1
      this.top = 0
      this.error = null
      void this.#count(countTime)
      this.#historyTimer = setTimeout(() => this.remember(), historyRest)
    } catch (thrown) {
      if (abort.signal.aborted) return
      this.error = errorOf(thrown)
    }
    this.searching = false
  }

  /** Puts the question among the recent ones. */
  remember(): void {
    clearTimeout(this.#historyTimer)
    if (this.answered !== null && this.rows > 0) void notebook.rememberSearch(requestOf(this.answered))
  }

  async #count(milliseconds: number): Promise<void> {
    const question = this.answered
    if (question === null) return
    this.#countAbort?.abort()
    const abort = new AbortController()
    this.#countAbort = abort
    this.counting = true
    try {
      const count = await client.explanations.count({ ...requestOf(question), countFor: milliseconds }, { signal: abort.signal })
      if (abort.signal.aborted) return
      this.count = count
      this.#sort()
    } catch (thrown) {
      if (abort.signal.aborted) return
      this.error = errorOf(thrown)
    }
    this.counting = false
  }

  /** Counts on where the count was cut short. */
  countOn(): void {
    void this.#count(longCountTime)
  }

  /** Brings the hits into the order asked for, or back into the search's own. */
  #sort(): void {
    const { sort } = this.question
    this.#sortAbort?.abort()
    this.sorting = null
    if (sort === null || this.answered === null || !this.sortable) {
      if (this.sorted !== null) this.active = -1
      this.sorted = null
      return
    }
    if (this.sorted !== null) {
      this.sorted = sortHits(this.sorted, sort)
      this.active = -1
      return
    }
    void this.#sortAll()
  }

  async #sortAll(): Promise<void> {
    const abort = new AbortController()
    this.#sortAbort = abort
    this.sorting = 0
    try {
      const hits = await this.#fetch(sortLimit, abort.signal, loaded => {
        this.sorting = loaded
      })
      const { sort } = this.question
      if (abort.signal.aborted || sort === null) return
      this.sorted = sortHits(hits, sort)
      this.active = -1
      this.top = 0
    } catch (thrown) {
      if (abort.signal.aborted) return
      this.error = errorOf(thrown)
    }
    this.sorting = null
  }

  async #fetch(most: number, signal: AbortSignal | undefined, tell: (loaded: number) => void): Promise<SearchHit[]> {
    const question = this.answered
    const hits: SearchHit[] = []
    for (let after: string | null = null; question !== null && hits.length < most; ) {
      const page: SearchResult = await this.#ask(question, { after, skip: 0, limit: Math.min(fetchSize, most - hits.length) }, signal)
      hits.push(...page.hits)
      tell(hits.length)
      if (page.nextKey === null) break
      after = page.nextKey
    }
    return hits
  }

  /** Every hit up to `copyLimit`, for copying, in the order shown. */
  async allHits(): Promise<SearchHit[]> {
    return this.sorted?.slice(0, copyLimit) ?? this.#fetch(copyLimit, undefined, () => undefined)
  }

  /** Moves the active row; -1 is the box itself. */
  move(by: number): void {
    this.active = Math.min(Math.max(this.active + by, -1), this.rows - 1)
  }

  /** Goes to a row. */
  goTo(row: number): void {
    this.active = Math.min(Math.max(row, -1), this.rows - 1)
  }

  /** Opens a hit's feature page, the active one's (or the first one's) unless another is named. */
  open(hit: SearchHit | undefined = this.at(Math.max(0, this.active))): void {
    if (hit === undefined) return
    this.settle()
    this.remember()
    navigation.go(featureHref(sourceOfHit(hit), hit.index))
  }
}

export const search = new ExplanationSearch()
