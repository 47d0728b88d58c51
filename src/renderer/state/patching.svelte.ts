/** Patches between the prompt of the run shown and a source: what is asked, the grids under way or shown, one patch tried. */
import type { z } from 'zod'
import type { ErrorData } from '../../contract/errors.ts'
import {
  type GridEffects,
  gridName,
  type KeptPatching,
  type PatchCell,
  type PatchGrid,
  type PatchingRequest,
  type PatchingStart,
  type PatchResult,
  type PatchSite,
  patchingRequest,
  type patchRequest
} from '../../contract/patching.ts'
import type { Quantity } from '../../contract/quantity.ts'
import type { PredictedToken, RunResult, Token } from '../../contract/run.ts'
import { namedToken, type OfferedToken, offeredAt, type WrittenToken } from '../components/token-field/written-token.ts'
import { AskedReading } from './asked-reading.svelte.ts'
import { client, errorOf } from './connection.svelte.ts'
import { PromptDraft } from './prompt-draft.svelte.ts'
import { removeKept } from './remove-kept.ts'
import { run } from './run.svelte.ts'
import { workspace } from './workspace.svelte.ts'

type Request = z.input<typeof patchingRequest>
/** What is the same in grids and in one patch. */
type Asked = Omit<Request, 'sites' | 'batchRows' | 'keepWith'>

/** A grid as far as it is done: a row of effects for each layer. */
export type ShownGrid = Pick<GridEffects, 'site' | 'head' | 'axis' | 'effects'>

/** Patches that are shown; those that are not kept have no number. */
export type ShownPatching = Omit<KeptPatching, 'number'> & { readonly number: number | null }

type PatchQuestion = z.input<typeof patchRequest>
type PatchAnswer = { type: 'result'; result: PatchResult }

/** Predictions that one patch lists. */
const listed = 10

/** One patch with its predictions, asked for as cells are chosen. */
class PatchTrial extends AskedReading<PatchQuestion, PatchAnswer> {
  result = $state.raw<PatchResult | null>(null)

  protected isSame(one: PatchQuestion, other: PatchQuestion): boolean {
    return JSON.stringify(one) === JSON.stringify(other)
  }

  protected open(question: PatchQuestion, signal: AbortSignal) {
    return client.runs.patchOne(question, { signal })
  }

  protected take({ result }: PatchAnswer): void {
    this.result = result
  }

  /** Lets go of what was tried. */
  clear(): void {
    this.cancel()
    this.cancelled = false
    this.error = null
    this.result = null
  }
}

/** Whether two measure the same between the same prompts, so that their grids may stand beside each other. */
function asksTheSame(one: PatchingRequest, other: PatchingRequest): boolean {
  const key = ({ quantity, prompt, source, processing, layerOrder }: PatchingRequest) =>
    JSON.stringify([quantity, prompt, source, processing, layerOrder])
  return key(one) === key(other)
}

/** By what a source's predictions are known. */
function predictedKey(model: string | undefined, source: Request['source'] | null): string {
  return JSON.stringify([model, source])
}

class Patching {
  /** The prompt that activations come from, as it is being written. */
  readonly source = new PromptDraft(() => workspace.model?.vocabulary ?? null)
  readonly trial = new PatchTrial()
  kind = $state<Quantity['kind']>('logit-difference')
  token = $state.raw<WrittenToken>({ text: '', id: null })
  other = $state.raw<WrittenToken>({ text: '', id: null })
  /** The position that predicts. */
  position = $state(0)
  sites = $state.raw<readonly PatchSite[]>(['resid_pre', 'attn_out', 'mlp_out'])

  shown = $state.raw<ShownPatching | null>(null)
  /** Those kept with the run shown, newest first. */
  kept = $state.raw<readonly KeptPatching[]>([])
  /** What has arrived of those under way; `before` are grids that they stand beside. */
  #live = $state.raw<{ start: PatchingStart | null; before: readonly ShownGrid[]; grids: readonly ShownGrid[] } | null>(null)
  running = $state(false)
  progress = $state.raw<{ stage: string; fraction: number } | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)
  /** The cell that is looked at. */
  cell = $state.raw<PatchCell | null>(null)
  /** What the source's own run predicts, by position, once it has run. */
  #predicted = $state.raw<{ key: string; topK: readonly (readonly PredictedToken[])[] } | null>(null)
  #tokens: readonly Token[] | null = null
  #abort: AbortController | null = null

  /** The two runs that are shown, and what was measured of them. */
  get start(): PatchingStart | null {
    return this.#live === null ? (this.shown?.result ?? null) : this.#live.start
  }

  /** The grids that are shown: of these patches, and of kept ones that measure the same. */
  get grids(): readonly ShownGrid[] {
    if (this.#live !== null) return [...this.#live.before, ...this.#live.grids]
    const { shown } = this
    if (shown === null) return []
    const others = this.kept.filter(each => each.number !== shown.number && asksTheSame(each.request, shown.request))
    const grids = [shown, ...others].flatMap(({ result }) => result.sites)
    return grids.filter((grid, place) => grids.findIndex(each => gridName(each) === gridName(grid)) === place)
  }

  /** Whether all this is of a run already. */
  isOf(result: RunResult): boolean {
    return result.tokens === this.#tokens
  }

  /** Follows the run that is shown: takes what is kept with it, `wanted` first, else the latest. */
  async follow(result: RunResult | null, wanted: number | null): Promise<void> {
    if (result === null || result.tokens === this.#tokens) return
    const isFirst = this.#tokens === null
    this.#tokens = result.tokens
    this.cancel()
    this.cancelled = false
    this.shown = null
    this.kept = []
    this.error = null
    this.trial.clear()
    if (!isFirst) this.cell = null
    this.position = result.tokens.length - 1
    await this.#load(true, wanted)
  }

  async #load(shows: boolean, wanted: number | null = null): Promise<void> {
    const id = run.keptAs
    const tokens = this.#tokens
    if (id === null) return
    try {
      const kept = await client.history.patchings({ id })
      if (tokens !== this.#tokens) return
      this.kept = kept
      const first = kept.find(({ number }) => number === wanted) ?? kept[0]
      if (shows && this.shown === null && first !== undefined && !this.running) this.show(first)
    } catch (thrown) {
      // A run that has not been written yet has no patches either.
      const error = errorOf(thrown)
      if (tokens === this.#tokens && error.kind !== 'history/unknown') this.error = error
    }
  }

  /** Shows kept ones, with what they were asked for in the form. */
  show(kept: KeptPatching): void {
    this.shown = kept
    this.error = null
    const { quantity } = kept.result
    this.kind = quantity.kind
    if (quantity.position !== null) this.position = quantity.position
    if (quantity.token !== null) this.token = quantity.token
    if (quantity.other !== null) this.other = quantity.other
    this.source.use(kept.request.source)
    this.source.tokens = { tokens: kept.result.sourceTokens, bosAdded: kept.result.bosAdded, warnings: [] }
    const sites = new Set(this.grids.map(({ site }) => site))
    this.sites = [...sites]
    if (this.cell !== null) void this.look()
  }

  /** The source as the engine takes it: written as text it has BOS where the prompt has one. */
  get asked(): Request['source'] | null {
    const { asked } = this.source
    const prompt = run.request?.prompt
    if (asked === null || ('text' in asked && asked.text === '') || ('ids' in asked && asked.ids.length === 0)) return null
    return 'text' in asked ? { text: asked.text, prependBos: prompt !== undefined && 'text' in prompt ? prompt.prependBos : true } : asked
  }

  /** Whether what is asked names all that it needs; tokens that are not named are the best predictions of both runs. */
  get isReady(): boolean {
    return run.request !== null && this.asked !== null && this.sites.length > 0
  }

  /** What a token field offers at the position that predicts: the source's predictions, or the base's. */
  offered(of: 'source' | 'base'): readonly OfferedToken[] {
    const base = run.result === null ? [] : offeredAt(run.result, this.position)
    const predicted =
      this.#predicted?.key === predictedKey(run.request?.model, this.asked) ? (this.#predicted.topK[this.position] ?? []) : []
    const source = predicted.map(({ id, text }) => ({ id, text, what: 'of the source' }))
    const own = of === 'source' ? source : base
    const theirs = of === 'source' ? base : source
    return [...own, ...theirs.filter(({ id }) => own.every(token => token.id !== id))]
  }

  /** The best predictions of the source's own run at each position. */
  async #predictions(base: PatchingBase, source: Request['source'], signal: AbortSignal): Promise<readonly (readonly PredictedToken[])[]> {
    const key = predictedKey(base.model, source)
    if (this.#predicted?.key === key) return this.#predicted.topK
    const request = { ...base, prompt: source, variants: [{ name: 'clean', splices: [] }], keep: false }
    for await (const event of await client.runs.run(request, { signal })) {
      if (event.type === 'result') this.#predicted = { key, topK: event.result.variants[0]?.topK ?? [] }
    }
    return this.#predicted?.topK ?? []
  }

  async #quantity(base: PatchingBase, source: Request['source'], signal: AbortSignal): Promise<Quantity> {
    const { kind, position } = this
    if (kind === 'loss') return { kind }
    if (kind === 'kl') return { kind, position }
    if (this.token.text === '') {
      const [best] = (await this.#predictions(base, source, signal))[position] ?? []
      if (best !== undefined) this.token = { text: best.text, id: best.id }
    }
    const token = namedToken(this.token)
    if (kind === 'log-prob') return { kind, token, position }
    if (this.other.text === '') {
      const best = run.result?.variants[0]?.topK[position]?.find(({ id }) => id !== this.token.id)
      if (best !== undefined) this.other = { text: best.text, id: best.id }
    }
    return { kind, token, other: namedToken(this.other), position }
  }

  /** What the form asks; null while it is none. */
  async #question(signal: AbortSignal): Promise<Asked | null> {
    const source = this.asked
    if (run.request === null || run.result === null || source === null) return null
    const { model, prompt, layerOrder, provider } = run.request
    // Read as the run that is shown was, whatever its SAEs asked for.
    const base = { model, processing: run.result.processing, layerOrder, provider }
    return { ...base, prompt, source, quantity: await this.#quantity(base, source, signal) }
  }

  /** Patches all cells of the sites chosen. */
  async patch(): Promise<void> {
    await this.#run(
      [],
      this.sites.map(site => ({ site, head: null })),
      signal => this.#question(signal)
    )
  }

  /** Adds every position of one head to the grids shown. */
  async addHead(head: number): Promise<void> {
    const { shown } = this
    if (shown === null) return
    const { sites: _, batchRows: __, keepWith: ___, ...asked } = shown.request
    await this.#run(this.grids, [{ site: 'z', head }], async () => asked)
  }

  async #run(
    before: readonly ShownGrid[],
    sites: readonly PatchGrid[],
    question: (signal: AbortSignal) => Promise<Asked | null>
  ): Promise<void> {
    if (this.running) return
    const abort = new AbortController()
    this.#abort = abort
    this.running = true
    this.progress = null
    this.error = null
    this.cancelled = false
    try {
      const asked = await question(abort.signal)
      if (asked === null || abort.signal.aborted) return
      const keepWith = run.keptAs ?? undefined
      const request: Request = { ...asked, sites: [...sites], ...(keepWith === undefined ? {} : { keepWith }) }
      for await (const event of await client.runs.patch(request, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') this.progress = event
        else if (event.type === 'start') this.#begin(event.start, before, sites)
        else if (event.type === 'cells') this.#add(event.place, event.effects)
        else {
          const { result } = event
          const former = before.length === 0 ? null : this.shown
          this.shown =
            former === null
              ? { number: event.kept, createdAt: Date.now(), request: patchingRequest.parse(request), result }
              : { ...former, result: { ...former.result, sites: [...former.result.sites, ...result.sites] } }
          this.#live = null
          if (former === null) this.#forgetCell()
          void this.#load(false)
        }
      }
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#abort === abort) this.#end()
    }
  }

  #begin(start: PatchingStart, before: readonly ShownGrid[], sites: readonly PatchGrid[]): void {
    const grids = sites.map(({ site, head }) => ({
      site,
      head,
      axis: site === 'z' && head === null ? ('head' as const) : ('position' as const),
      effects: []
    }))
    this.#live = { start, before, grids }
  }

  #add(place: number, effects: ShownGrid['effects'][number]): void {
    if (this.#live === null) return
    const grids = this.#live.grids.map((grid, at) => (at === place ? { ...grid, effects: [...grid.effects, effects] } : grid))
    this.#live = { ...this.#live, grids }
  }

  /** A patch that was tried before other prompts or another quantity were asked for says nothing of these. */
  #forgetCell(): void {
    this.trial.clear()
    if (this.cell !== null) void this.look()
  }

  #end(): void {
    this.#abort = null
    this.#live = null
    this.running = false
    this.progress = null
  }

  cancel(): void {
    if (this.#abort === null) return
    this.#abort.abort()
    this.#end()
    this.cancelled = true
  }

  /** Tries the cell that is chosen: what is predicted with it, in the terms of the grids shown, else of the form. */
  async look(): Promise<void> {
    const { cell, shown } = this
    if (cell === null) return
    try {
      if (shown === null) {
        const asked = await this.#question(new AbortController().signal)
        if (asked !== null && this.cell === cell) await this.trial.ask({ ...asked, cell, topK: listed })
        return
      }
      const { sites: _, batchRows: __, keepWith: ___, ...asked } = shown.request
      await this.trial.ask({ ...asked, cell, topK: listed })
    } catch (thrown) {
      this.trial.error = errorOf(thrown)
    }
  }

  /** Takes kept ones from their run, with a way back. */
  remove({ number }: KeptPatching): Promise<void> {
    return removeKept({
      key: 'patching',
      message: 'The patches were removed.',
      remove: async () => {
        await client.history.removePatching({ number })
        if (this.shown?.number === number) this.shown = null
      },
      restore: () => client.history.restorePatching({ number }),
      changed: shows => this.#load(shows),
      failed: error => {
        this.error = error
      }
    })
  }
}

/** How the model is read. */
type PatchingBase = Pick<Request, 'model' | 'processing' | 'layerOrder' | 'provider'>

export const patching = new Patching()
