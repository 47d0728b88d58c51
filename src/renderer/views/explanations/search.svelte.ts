/** The search over the mirror: what is asked, the hits so far, and where among them one stands. It outlives the view, so that Back finds it. */
import type { ErrorData } from '../../../contract/errors.ts'
import type { SearchHit, SearchMode, SearchRequest, SearchResult, SourceSummary } from '../../../contract/explanations.ts'
import { client, errorOf } from '../../state/connection.svelte.ts'
import { featureHref, hashOf, navigation } from '../../state/navigation.svelte.ts'

/** What is asked; empty strings ask for anything. `source` is `modelId/layer`. */
export type Question = { query: string; mode: SearchMode; model: string; source: string; explainer: string }
type Answer = Pick<SearchResult, 'total' | 'totalIsExact' | 'nextKey' | 'milliseconds'>

/** How long typing must rest before a search, and before the address follows. */
const searchRest = 50
const addressRest = 250
const pageSize = 100
/** The most hits that Copy fetches. */
export const copyLimit = 5000

/** A feature's source as the mirror names it. */
export function sourceOfHit(hit: Pick<SearchHit, 'model' | 'layer'>): string {
  return `${hit.model}/${hit.layer}`
}

/** A part of a request: only what is asked for. */
function requestOf({ query, mode, model, source, explainer }: Question): Pick<SearchRequest, 'query' | 'mode'> & Partial<SearchRequest> {
  return { query, mode, ...(model && { model }), ...(source && { source }), ...(explainer && { explainer }) }
}

class ExplanationSearch {
  question = $state.raw<Question>({ query: '', mode: 'substring', model: '', source: '', explainer: '' })
  /** The question that the hits answer; null before the first answer and without a query. */
  answered = $state.raw<Question | null>(null)
  answer = $state.raw<Answer | null>(null)
  hits = $state.raw<SearchHit[]>([])
  searching = $state(false)
  loadingMore = $state(false)
  error = $state.raw<ErrorData | null>(null)
  /** The hit that the arrow keys reached; -1 for none. */
  active = $state(-1)
  /** Where the list was scrolled to, for coming back. Pixels. */
  scrollOffset = 0
  sources = $state.raw<SourceSummary[] | null>(null)
  sourcesError = $state.raw<ErrorData | null>(null)

  #abort: AbortController | null = null
  #searchTimer: ReturnType<typeof setTimeout> | undefined
  #addressTimer: ReturnType<typeof setTimeout> | undefined

  /** Whether anything but the query narrows the search. */
  get filtered(): boolean {
    const { model, source, explainer } = this.question
    return model !== '' || source !== '' || explainer !== ''
  }

  /** Asks something else; the request before is aborted at once. */
  ask(change: Partial<Question>): void {
    this.question = { ...this.question, ...change }
    this.#restart(searchRest)
    clearTimeout(this.#addressTimer)
    this.#addressTimer = setTimeout(() => this.#writeAddress(), addressRest)
  }

  /** Takes the question from the address, as after Back or a link. */
  read(query: Record<string, string>): void {
    const asked: Question = {
      query: query.q ?? '',
      mode: query.mode === 'words' ? 'words' : 'substring',
      model: query.model ?? '',
      source: query.source ?? '',
      explainer: query.explainer ?? ''
    }
    if (sameQuestion(asked, this.question)) {
      if (this.answered === null && asked.query !== '' && !this.searching) this.#restart(0)
      return
    }
    clearTimeout(this.#addressTimer)
    this.question = asked
    this.#restart(0)
  }

  /** Asks the same again, as after an import. */
  again(): void {
    this.#restart(0)
  }

  /** The address that carries the present question. */
  get href(): string {
    const { query, mode, model, source, explainer } = this.question
    return hashOf('explanations', [], { q: query, mode: mode === 'words' ? mode : undefined, model, source, explainer })
  }

  #writeAddress(): void {
    if (navigation.route.view === 'explanations') navigation.go(this.href, { replace: true })
  }

  /** Writes the address now rather than when typing rests: before leaving the view. */
  settle(): void {
    clearTimeout(this.#addressTimer)
    this.#writeAddress()
  }

  #restart(rest: number): void {
    this.#abort?.abort()
    this.#abort = null
    this.loadingMore = false
    clearTimeout(this.#searchTimer)
    if (this.question.query === '') {
      this.answered = null
      this.answer = null
      this.hits = []
      this.active = -1
      this.error = null
      this.searching = false
      return
    }
    this.searching = true
    this.#searchTimer = setTimeout(() => void this.#search(), rest)
  }

  async #search(): Promise<void> {
    const abort = new AbortController()
    this.#abort = abort
    const question = this.question
    try {
      const { hits, ...answer } = await client.explanations.search({ ...requestOf(question), limit: pageSize }, { signal: abort.signal })
      if (abort.signal.aborted) return
      this.answered = question
      this.answer = answer
      this.hits = hits
      this.active = -1
      this.scrollOffset = 0
      this.error = null
    } catch (thrown) {
      if (abort.signal.aborted) return
      this.error = errorOf(thrown)
    }
    this.searching = false
  }

  /** Loads the next page; nothing happens where there is none or it is under way. */
  async more(): Promise<void> {
    const after = this.answer?.nextKey
    if (after === null || after === undefined || this.loadingMore || this.searching || this.answered === null) return
    this.loadingMore = true
    const abort = this.#abort ?? new AbortController()
    this.#abort = abort
    try {
      const page = await client.explanations.search({ ...requestOf(this.answered), limit: pageSize, after }, { signal: abort.signal })
      if (abort.signal.aborted) return
      this.hits = [...this.hits, ...page.hits]
      if (this.answer !== null) this.answer = { ...this.answer, nextKey: page.nextKey }
    } catch (thrown) {
      if (abort.signal.aborted) return
      this.error = errorOf(thrown)
    }
    this.loadingMore = false
  }

  /** Every hit up to `copyLimit`, for copying; the list shown stays as it is. */
  async allHits(): Promise<SearchHit[]> {
    const all = [...this.hits]
    const question = this.answered
    let after = this.answer?.nextKey ?? null
    while (question !== null && after !== null && all.length < copyLimit) {
      const limit = Math.min(1000, copyLimit - all.length)
      const page = await client.explanations.search({ ...requestOf(question), limit, after })
      all.push(...page.hits)
      after = page.nextKey
    }
    return all
  }

  /** Moves the active hit; -1 is the box itself. */
  move(by: number): void {
    this.active = Math.min(Math.max(this.active + by, -1), this.hits.length - 1)
  }

  /** Opens a hit's feature page, the active one's (or the first one's) unless another is named. */
  open(hit: SearchHit | undefined = this.hits[Math.max(0, this.active)]): void {
    if (hit === undefined) return
    this.settle()
    navigation.go(featureHref(sourceOfHit(hit), hit.index))
  }

  /** Learns what can be searched. */
  async loadSources(): Promise<void> {
    try {
      this.sources = await client.explanations.sources()
      this.sourcesError = null
    } catch (thrown) {
      this.sourcesError = errorOf(thrown)
    }
  }
}

function sameQuestion(one: Question, other: Question): boolean {
  return (
    one.query === other.query &&
    one.mode === other.mode &&
    one.model === other.model &&
    one.source === other.source &&
    one.explainer === other.explainer
  )
}

export const search = new ExplanationSearch()
