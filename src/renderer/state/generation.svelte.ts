/** A generation: its settings, the one under way, and the continuations that are shown while and after they are written. */
import { tick } from 'svelte'
import type { z } from 'zod'
import type { ErrorData } from '../../contract/errors.ts'
import type { GenerationResult, generationRequest } from '../../contract/generation.ts'
import type { SaeResult, Token } from '../../contract/run.ts'
import { client, errorOf } from './connection.svelte.ts'
import { ContinuationGatherer, type GeneratedPlace, type WrittenContinuation } from './continuations.ts'
import { mostSeed, parseSettings, type SettingFields } from './generation-settings.ts'
import { hashOf, navigation } from './navigation.svelte.ts'
import { notices } from './notices.svelte.ts'
import type { PromptTask, TaskProgress } from './prompt-task.ts'
import { run } from './run.svelte.ts'
import { settings } from './settings.svelte.ts'
import type { ShownVariant } from './shown-variants.ts'
import { sourceOf, workspace } from './workspace.svelte.ts'

/** Browsers refuse addresses that change too often, as under a held arrow key; so the address follows when the choice rests. */
const restMilliseconds = 200

/** The longest time between two looks at what is being written. */
const longestPause = 1000

/** What is shown of an SAE beside its features. */
type ReadSae = Pick<SaeResult, 'name' | 'hook' | 'source' | 'sourceChosenByHand'>

class Generation implements PromptTask {
  fields = $state<SettingFields>({
    ...{ temperature: '1', topK: '', topP: '', frequencyPenalty: '0', maxNewTokens: '50', samples: '1', seed: '0' }
  })
  stopAtEos = $state(true)

  /** What is written, sample by sample and, within, variant by variant. */
  continuations = $state.raw<WrittenContinuation[]>([])
  /** The whole result, once there is one. */
  result = $state.raw<GenerationResult | null>(null)
  /** Of what is shown: its variants, their colours, its SAEs, how many tokens were asked for. */
  variants = $state.raw<ShownVariant[]>([])
  saes = $state.raw<ReadSae[]>([])
  asked = $state.raw<z.input<typeof generationRequest> | null>(null)

  running = $state(false)
  progress = $state.raw<TaskProgress | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)
  /** The token that is looked at. */
  selected = $state.raw<GeneratedPlace | null>(null)

  parsed = $derived(parseSettings(this.fields))
  #abort: AbortController | null = null
  #gatherer: ContinuationGatherer | null = null
  #resting: ReturnType<typeof setTimeout> | undefined

  constructor() {
    // A default takes the place of the one before, not of what a person typed.
    settings.follow((now, before) => {
      for (const name of ['temperature', 'maxNewTokens'] as const) {
        if (this.fields[name] === String(before[name])) this.fields[name] = String(now[name])
      }
    })
  }

  get hasResult(): boolean {
    return this.continuations.some(({ tokens }) => tokens.length > 0)
  }

  /** Draws another seed. */
  newSeed(): void {
    this.fields.seed = String(Math.floor(Math.random() * (mostSeed + 1)))
  }

  find(place: Pick<GeneratedPlace, 'variant' | 'sample'>): WrittenContinuation | undefined {
    return this.continuations.find(({ variant, sample }) => variant === place.variant && sample === place.sample)
  }

  /** Chooses a token, or with null none. */
  select(place: GeneratedPlace | null): void {
    this.selected = place
    clearTimeout(this.#resting)
    this.#resting = setTimeout(() => {
      if (navigation.route.view !== 'generate') return
      const { variant, sample, step } = this.selected ?? {}
      navigation.setQuery({ variant, sample, step })
    }, restMilliseconds)
  }

  /** Writes on from the prompt; what was being written before is stopped and makes room. */
  async start(): Promise<void> {
    const request = workspace.request()
    const chosen = this.parsed.settings
    if (request === null || chosen === null) return
    this.cancel()
    const abort = new AbortController()
    this.#abort = abort
    const { model, saes, prompt, processing, layerOrder, provider, variants } = request
    const asked = {
      model,
      saes,
      prompt,
      processing,
      layerOrder,
      provider,
      variants,
      ...chosen,
      stopAtEos: this.stopAtEos,
      topFeatures: settings.values.topFeatures
    }
    const gatherer = new ContinuationGatherer(
      variants.map(({ name }) => name),
      chosen.samples
    )
    this.#gatherer = gatherer
    this.asked = asked
    this.variants = workspace.variants
    this.saes = workspace.saes.map(sae => ({
      name: sae.name,
      hook: sae.summary.hook ?? '',
      source: sourceOf(sae),
      sourceChosenByHand: typeof sae.chosenSource === 'string'
    }))
    this.result = null
    this.error = null
    this.cancelled = false
    this.progress = null
    this.running = true
    this.select(null)
    this.continuations = gatherer.written()
    // Steps may come faster than frames, and frames take long when much is written: a quarter of the time is theirs.
    let isDue = false
    let pause = 0
    const show = () => {
      if (isDue) return
      isDue = true
      const frame = () => {
        isDue = false
        if (this.#abort !== abort) return
        const began = performance.now()
        this.continuations = gatherer.written()
        setTimeout(() => {
          pause = Math.min(3 * (performance.now() - began), longestPause)
        })
      }
      setTimeout(() => requestAnimationFrame(frame), pause)
    }
    try {
      for await (const event of await client.runs.generate(asked, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') this.progress = { stage: event.stage, fraction: event.fraction }
        else if (event.type === 'result') this.#finish(event.result)
        else {
          gatherer.take(event)
          show()
        }
      }
      void workspace.save()
    } catch (thrown) {
      if (!abort.signal.aborted) {
        this.continuations = gatherer.written()
        this.error = errorOf(thrown)
      }
    } finally {
      if (this.#abort === abort) this.#end()
    }
  }

  #finish(result: GenerationResult): void {
    this.result = result
    const order = (variant: string) => this.variants.findIndex(({ name }) => name === variant)
    this.continuations = result.continuations.toSorted((a, b) => a.sample - b.sample || order(a.variant) - order(b.variant))
  }

  #end(): void {
    this.#abort = null
    this.running = false
    this.progress = null
  }

  /** Stops; what is written stays. */
  cancel(): void {
    if (this.#abort === null) return
    this.#abort.abort()
    this.#end()
    this.continuations = this.#gatherer?.written() ?? []
    this.cancelled = true
  }

  /** The prompt's tokens, also where the generation was stopped before it told them. */
  async #promptTokens(): Promise<Token[]> {
    if (this.result !== null) return this.result.tokens
    if (this.asked === null) return []
    return (await client.runs.tokenize({ model: this.asked.model, prompt: this.asked.prompt })).tokens
  }

  /** Makes prompt and continuation the prompt of Compare, as ids, and runs it there. */
  async openInCompare({ tokens }: WrittenContinuation): Promise<void> {
    try {
      if (this.asked?.model !== workspace.model?.path) {
        notices.show({
          level: 'warning',
          key: 'to-compare',
          message: 'Another model is open now: its token ids are not those of this text.'
        })
        return
      }
      const prompt = await this.#promptTokens()
      workspace.draft.use({ ids: [...prompt, ...tokens].map(({ id }) => id) })
      navigation.go(hashOf('compare'))
      await tick()
      await run.start()
    } catch (thrown) {
      notices.show({ level: 'error', key: 'to-compare', message: 'The text was not opened in Compare.', error: errorOf(thrown) })
    }
  }
}

export const generation = new Generation()
