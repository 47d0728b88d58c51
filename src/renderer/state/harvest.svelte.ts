/** Harvesting features from one's own text: what is asked, what it will take, how far it is, what came of it. It goes on while the dialog is closed. */
import type { z } from 'zod'
import type { ErrorData } from '../../contract/errors.ts'
import type {
  HarvestPlan,
  HarvestProgress,
  HarvestRequest,
  HarvestResult,
  harvestRequest,
  UnfinishedHarvest
} from '../../contract/harvest.ts'
import { client, errorOf } from './connection.svelte.ts'
import { mirrorSources } from './mirror-sources.svelte.ts'
import { notices } from './notices.svelte.ts'
import { formatCount } from './numbers.ts'
import { asAsked, type OpenSae, workspace } from './workspace.svelte.ts'

type Request = z.input<typeof harvestRequest>

/** How long what was typed has to rest before the engine is asked what it will take, in ms. */
const restMilliseconds = 250

class HarvestState {
  /** Whether the dialog is open. */
  open = $state(false)

  /** Paths of files and folders, one a line. */
  texts = $state('')
  tokens = $state('1000000')
  name = $state('')
  context = $state('')
  documents = $state<'joined' | 'apart'>('joined')
  top = $state('20')
  perInterval = $state('5')
  countSpecial = $state(false)
  /** Open SAEs that are left out, by their names. */
  leftOut = $state.raw<ReadonlySet<string>>(new Set())

  plan = $state.raw<HarvestPlan | null>(null)
  planError = $state.raw<ErrorData | null>(null)
  unfinished = $state.raw<UnfinishedHarvest[]>([])

  running = $state(false)
  progress = $state.raw<HarvestProgress | null>(null)
  result = $state.raw<HarvestResult | null>(null)
  error = $state.raw<ErrorData | null>(null)
  /** Whether it was cancelled, and what of it is kept. */
  cancelled = $state(false)

  #abort: AbortController | null = null

  /** The SAEs that are read. */
  saes = $derived(workspace.saes.filter(({ name }) => !this.leftOut.has(name)))

  /** What the fields say wrong; null where nothing. */
  problem = $derived.by(() => {
    const isCount = (text: string, least: number, most: number) => {
      const digits = text.replaceAll(/[\s,_]/g, '')
      return /^\d+$/.test(digits) && Number(digits) >= least && Number(digits) <= most
    }
    if (workspace.model === null) return 'Open a model first.'
    if (workspace.saes.length === 0) return 'Open an SAE first, at the top.'
    if (this.saes.length === 0) return 'Choose at least one SAE.'
    if (!isCount(this.tokens, 1, Number.MAX_SAFE_INTEGER)) return 'Tokens are a whole number from 1.'
    if (this.context.trim() !== '' && !isCount(this.context, 2, workspace.model.context))
      return `A context is a whole number from 2 to ${formatCount(workspace.model.context)}.`
    if (!isCount(this.top, 0, 100) || !isCount(this.perInterval, 0, 50))
      return 'Examples are whole numbers: at most 100 strongest, and 50 of each interval.'
    if (this.name.trim() !== '' && !/^[A-Za-z0-9._-]{1,80}$/.test(this.name.trim()))
      return 'A name has letters, digits, dots, dashes and underscores alone.'
    return null
  })

  /** Changes when what is kept does: by a harvest that ended, or was forgotten. */
  revision = $state(0)

  /** The request that the fields make; null where they make none. */
  request = $derived.by((): Request | null => {
    const { model, processing, layerOrder } = workspace
    const texts = this.texts
      .split('\n')
      .map(line => line.trim().replace(/^(['"])(.*)\1$/, '$2'))
      .filter(line => line !== '')
    if (model === null || this.problem !== null || texts.length === 0) return null
    const number = (text: string) => Number(text.replaceAll(/[\s,_]/g, ''))
    return {
      model: model.path,
      saes: this.saes.map(sae => {
        const { source: _, ...asked } = asAsked(sae)
        return { name: sae.name, ...asked }
      }),
      texts,
      tokens: number(this.tokens),
      documents: this.documents,
      prependBos: workspace.draft.prependBos,
      countSpecial: this.countSpecial,
      top: number(this.top),
      perInterval: number(this.perInterval),
      processing,
      layerOrder,
      ...(this.context.trim() === '' ? {} : { context: number(this.context) }),
      ...(this.name.trim() === '' ? {} : { name: this.name.trim() })
    }
  })

  /** Opens the dialog; with an SAE it alone is chosen, unless a harvest is under way. */
  show(sae?: OpenSae): void {
    this.open = true
    if (this.running) return
    if (sae !== undefined) this.leftOut = new Set(workspace.saes.filter(other => other !== sae).map(({ name }) => name))
    this.cancelled = false
    this.error = null
    this.result = null
    void this.#listUnfinished()
  }

  choose(sae: string, isChosen: boolean): void {
    const next = new Set(this.leftOut)
    if (isChosen) next.delete(sae)
    else next.add(sae)
    this.leftOut = next
  }

  /** Adds a path to those that are there. */
  addText(path: string): void {
    this.texts = [this.texts.trimEnd(), path].filter(line => line !== '').join('\n')
  }

  /** Asks what a request will take when it rests; the returned function stops it. */
  follow(request: Request | null): () => void {
    const abort = new AbortController()
    if (request === null) {
      this.plan = null
      this.planError = null
      return () => undefined
    }
    const timer = setTimeout(async () => {
      try {
        const plan = await client.harvests.plan(request, { signal: abort.signal })
        if (abort.signal.aborted) return
        this.plan = plan
        this.planError = null
      } catch (thrown) {
        if (abort.signal.aborted) return
        this.plan = null
        this.planError = errorOf(thrown)
      }
    }, restMilliseconds)
    return () => {
      clearTimeout(timer)
      abort.abort()
    }
  }

  async #listUnfinished(): Promise<void> {
    try {
      this.unfinished = await client.harvests.unfinished()
      this.revision += 1
    } catch (thrown) {
      this.error = errorOf(thrown)
    }
  }

  /** Harvests what the fields say, or goes on with it; `anew` forgets what is kept of it. */
  start({ anew = false }: { anew?: boolean } = {}): void {
    if (this.request !== null) void this.#run({ ...this.request, anew })
  }

  /** Goes on with one that was begun before, whatever the fields say. */
  goOn(request: HarvestRequest): void {
    void this.#run(request)
  }

  async discard(file: string): Promise<void> {
    try {
      await client.harvests.discard({ file })
    } catch (thrown) {
      this.error = errorOf(thrown)
    }
    await this.#listUnfinished()
  }

  async #run(request: Request): Promise<void> {
    if (this.running) return
    const abort = new AbortController()
    this.#abort = abort
    this.running = true
    this.progress = null
    this.result = null
    this.error = null
    this.cancelled = false
    try {
      for await (const event of await client.harvests.run(request, { signal: abort.signal })) {
        if (event.type === 'plan') this.plan = event.plan
        else if (event.type === 'progress') this.progress = event
        else this.result = event.result
      }
      this.cancelled = abort.signal.aborted
    } catch (thrown) {
      if (abort.signal.aborted) this.cancelled = true
      else this.error = errorOf(thrown)
    } finally {
      this.running = false
      this.#abort = null
    }
    if (this.result !== null) await mirrorSources.load()
    await this.#listUnfinished()
    this.#tell()
  }

  /** Whoever closed the dialog hears of the end. */
  #tell(): void {
    if (this.open || this.cancelled) return
    const action = { label: 'Show', act: () => (this.open = true) }
    if (this.error !== null)
      notices.show({ level: 'error', key: 'harvest', message: 'The text was not harvested to its end.', error: this.error, action })
    else if (this.result !== null) {
      const message = `Harvested ${formatCount(this.result.tokens)} tokens: ${this.result.saes.length === 1 ? 'a source' : `${this.result.saes.length} sources`} of your own.`
      notices.show({ level: 'info', key: 'harvest', message, action })
    }
  }

  /** Stops it; what is done is kept. */
  cancel(): void {
    this.#abort?.abort()
  }
}

export const harvest = new HarvestState()
