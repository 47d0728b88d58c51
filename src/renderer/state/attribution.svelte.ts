/** Attributions of the run shown: what is asked, the one under way, and those that are kept with the run. */
import type { z } from 'zod'
import {
  type AttributionRequest,
  attributionRequest,
  type FeatureGroup,
  type GroupEffect,
  type KeptAttribution
} from '../../contract/attribution.ts'
import type { ErrorData } from '../../contract/errors.ts'
import type { Quantity } from '../../contract/quantity.ts'
import type { RunResult, Token } from '../../contract/run.ts'
import { namedToken, type WrittenToken } from '../components/token-field/written-token.ts'
import { client, errorOf } from './connection.svelte.ts'
import { removeKept } from './remove-kept.ts'
import { run } from './run.svelte.ts'

type Request = z.input<typeof attributionRequest>

/** An attribution that is shown; one that is not kept has no number. */
export type ShownAttribution = Omit<KeptAttribution, 'number'> & { readonly number: number | null }

/** Whether two attributions measure the same, so that their groups may stand beside each other. */
function asksTheSame(one: AttributionRequest, other: AttributionRequest): boolean {
  const key = ({ quantity, sae, errorTerm, positions, processing }: AttributionRequest) =>
    JSON.stringify([quantity, sae.path, errorTerm, positions, processing])
  return key(one) === key(other)
}

class Attribution {
  kind = $state<Quantity['kind']>('log-prob')
  token = $state.raw<WrittenToken>({ text: '', id: null })
  other = $state.raw<WrittenToken>({ text: '', id: null })
  /** The position that predicts. */
  position = $state(0)
  sae = $state('')
  top = $state(100)
  scope = $state<'all' | 'each'>('all')
  pairs = $state(0)
  errorTerm = $state(true)
  countSpecial = $state(false)

  /** The one shown, or null. */
  shown = $state.raw<ShownAttribution | null>(null)
  /** Those kept with the run shown, newest first. */
  kept = $state.raw<readonly KeptAttribution[]>([])
  running = $state(false)
  progress = $state.raw<{ stage: string; fraction: number } | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)
  /** Features that are marked, to be ablated together. */
  marked = $state.raw<readonly number[]>([])
  /** Of which run's tokens all this is. */
  #tokens: readonly Token[] | null = null
  #abort: AbortController | null = null

  /** Groups of this and of every kept attribution that measures the same, latest first. */
  get groups(): GroupEffect[] {
    const { shown } = this
    if (shown === null) return []
    const others = this.kept.filter(each => each.number !== shown.number && asksTheSame(each.request, shown.request))
    const groups = [shown, ...others].flatMap(({ result }) => result.groups)
    return groups.filter((group, place) => groups.findIndex(each => String(each.features) === String(group.features)) === place)
  }

  /** Whether all this is of a run already. */
  isOf(result: RunResult): boolean {
    return result.tokens === this.#tokens
  }

  /** Follows the run that is shown: takes what is kept with it, and offers its last prediction. */
  async follow(result: RunResult | null): Promise<void> {
    if (result === null || result.tokens === this.#tokens) return
    this.#tokens = result.tokens
    this.cancel()
    this.cancelled = false
    this.shown = null
    this.kept = []
    this.marked = []
    this.error = null
    if (!result.saes.some(({ name }) => name === this.sae)) this.sae = result.saes[0]?.name ?? ''
    await this.#load(true)
  }

  async #load(shows: boolean): Promise<void> {
    const id = run.keptAs
    const tokens = this.#tokens
    if (id === null) return
    try {
      const kept = await client.history.attributions({ id })
      if (tokens !== this.#tokens) return
      this.kept = kept
      const [latest] = kept.filter(({ result }) => result.effects.length > 0)
      if (shows && this.shown === null && latest !== undefined) this.show(latest)
    } catch (thrown) {
      // A run that has not been written yet has no attributions either.
      const error = errorOf(thrown)
      if (tokens === this.#tokens && error.kind !== 'history/unknown') this.error = error
    }
  }

  /** Shows a kept one, with its quantity in the form. */
  show(kept: KeptAttribution): void {
    this.shown = kept
    this.marked = []
    const { quantity, scope, errorTerm, countSpecial, sae } = kept.result
    Object.assign(this, { kind: quantity.kind, scope, errorTerm, countSpecial, top: kept.request.top, pairs: kept.request.pairs })
    if (quantity.position !== null) this.position = quantity.position
    if (quantity.token !== null) this.token = quantity.token
    if (quantity.other !== null) this.other = quantity.other
    if (run.result?.saes.some(({ name }) => name === sae.name)) this.sae = sae.name
  }

  /** Offers a position and its tokens: what follows it in the prompt or is predicted best, and the best other prediction. */
  offer(result: RunResult, position: number): void {
    this.position = position
    const predicted = result.variants[0]?.topK[position] ?? []
    const follows = result.tokens[position + 1]
    const token = follows ?? predicted[0]
    if (token !== undefined) this.token = { text: token.text, id: token.id }
    const other = predicted.find(({ id }) => id !== token?.id)
    if (other !== undefined) this.other = { text: other.text, id: other.id }
  }

  #quantity(): Quantity {
    const { kind, position } = this
    if (kind === 'loss') return { kind }
    if (kind === 'kl') return { kind, position }
    const token = namedToken(this.token)
    return kind === 'log-prob' ? { kind, token, position } : { kind, token, other: namedToken(this.other), position }
  }

  /** Whether what is asked names all that it needs. */
  get isReady(): boolean {
    if (run.request === null || this.sae === '') return false
    if (this.kind === 'loss' || this.kind === 'kl') return true
    return this.token.text !== '' && (this.kind === 'log-prob' || this.other.text !== '')
  }

  /** Attributes what the form asks. */
  async start(): Promise<void> {
    const { top, scope, pairs, errorTerm, countSpecial } = this
    await this.#ask({ quantity: this.#quantity(), top, scope, pairs, errorTerm, countSpecial }, event => {
      this.shown = event
      this.marked = []
    })
  }

  /** Ablates the marked features together, and measures what the attribution shown does. */
  async ablateTogether(): Promise<void> {
    const { shown, marked } = this
    if (shown === null || marked.length === 0) return
    const { quantity, errorTerm, countSpecial } = shown.request
    const group: FeatureGroup = { name: marked.join(' + ').slice(0, 80), features: [...marked] }
    await this.#ask({ quantity, top: 0, errorTerm, countSpecial, groups: [group] }, ({ result }) => {
      this.shown = { ...shown, result: { ...shown.result, groups: [...result.groups, ...shown.result.groups] } }
      this.marked = []
    })
  }

  async #ask(asked: Partial<Request> & Pick<Request, 'quantity'>, done: (shown: ShownAttribution) => void): Promise<void> {
    const base = run.request
    const sae = base?.saes.find(({ name }) => name === this.sae)
    if (base === null || sae === undefined || this.running) return
    const { model, prompt, processing, layerOrder, provider } = base
    const keepWith = run.keptAs ?? undefined
    const request: Request = {
      model,
      prompt,
      processing,
      layerOrder,
      provider,
      sae,
      ...asked,
      ...(keepWith === undefined ? {} : { keepWith })
    }
    const abort = new AbortController()
    this.#abort = abort
    this.running = true
    this.progress = null
    this.error = null
    this.cancelled = false
    try {
      for await (const event of await client.runs.attribute(request, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') {
          this.progress = event
          continue
        }
        done({ number: event.kept, createdAt: Date.now(), request: attributionRequest.parse(request), result: event.result })
        void this.#load(false)
      }
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#abort === abort) {
        this.running = false
        this.progress = null
        this.#abort = null
      }
    }
  }

  cancel(): void {
    if (this.#abort === null) return
    this.#abort.abort()
    this.#abort = null
    this.running = false
    this.progress = null
    this.cancelled = true
  }

  toggleMark(index: number): void {
    this.marked = this.marked.includes(index) ? this.marked.filter(each => each !== index) : [...this.marked, index]
  }

  /** Takes a kept one from its run, with a way back. */
  remove({ number }: KeptAttribution): Promise<void> {
    return removeKept({
      key: 'attribution',
      message: 'The attribution was removed.',
      remove: async () => {
        await client.history.removeAttribution({ number })
        if (this.shown?.number === number) this.shown = null
      },
      restore: () => client.history.restoreAttribution({ number }),
      changed: shows => this.#load(shows),
      failed: error => {
        this.error = error
      }
    })
  }
}

export const attribution = new Attribution()
