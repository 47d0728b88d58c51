/** What is open: one model, its SAEs, the prompt, and how to read them. Everything a run request is made of. */

import type { z } from 'zod'
import type { ErrorData } from '../../contract/errors.ts'
import type { ModelSummary, SaeSummary } from '../../contract/library.ts'
import type { LayerOrder, Processing, RunRequest, RunSae, runRequest, SplicePositions } from '../../contract/run.ts'
import { client, errorOf } from './connection.svelte.ts'
import { columnsOf, columnsWithout, type EditColumn, isEdited } from './edited-variants.ts'
import { mirrorSources } from './mirror-sources.svelte.ts'
import { notices } from './notices.svelte.ts'
import { PromptDraft } from './prompt-draft.svelte.ts'
import { runNameOf } from './run-name.ts'
import { settings } from './settings.svelte.ts'
import { colorOfSae, type Joined, type JointChoice, type SplicedSae, shownVariants, targetOf } from './shown-variants.ts'

/**
 * An open SAE. `name` is its name in a run; `hook`, `hookOut` and `normFactor` go before its own; `chosenSource` is the source that the
 * person chose (null for none), undefined where the one found by repo and path holds.
 */
export type OpenSae = SplicedSae & {
  summary: SaeSummary
  hook: string | undefined
  hookOut: string | undefined
  normFactor: number | undefined
  chosenSource: string | null | undefined
}

/** How a person puts an SAE elsewhere or reads it otherwise than its files say. */
export type SaePlacing = Pick<OpenSae, 'hook' | 'hookOut' | 'normFactor'>

/** A run as it is asked for. */
export type RunInput = z.input<typeof runRequest>

/** The Neuronpedia source in force for an SAE, or null when none is known or chosen. */
export function sourceOf(sae: OpenSae): string | null {
  return sae.chosenSource === undefined ? sae.summary.source : sae.chosenSource
}

/** An SAE as runs and the saved workspace name it. */
export function asAsked({ summary, hook, hookOut, normFactor, chosenSource }: OpenSae) {
  return {
    path: summary.path,
    ...(hook === undefined ? {} : { hook }),
    ...(hookOut === undefined ? {} : { hookOut }),
    ...(normFactor === undefined ? {} : { normFactor }),
    ...(chosenSource === undefined ? {} : { source: chosenSource })
  }
}

/** Which variants of an open SAE a run had, `variants` being those without edits. */
function variantsOf({ name }: RunSae, variants: RunRequest['variants']): Pick<OpenSae, 'alone' | 'withError' | 'joined'> {
  const alone = variants.flatMap(({ splices }) => (splices.length === 1 ? splices : [])).filter(({ sae }) => sae === name)
  const together = variants.filter(({ splices }) => splices.length > 1)
  const joint = together.find(({ splices }) => splices.some(({ errorTerm }) => !errorTerm)) ?? together[0]
  const own = joint?.splices.find(({ sae }) => sae === name)
  return {
    alone: alone.some(({ errorTerm }) => !errorTerm),
    withError: alone.some(({ errorTerm }) => errorTerm),
    joined: joint === undefined ? 'spliced' : own === undefined ? 'left-out' : own.errorTerm ? 'with-error' : 'spliced'
  }
}

class Workspace {
  model = $state.raw<ModelSummary | null>(null)
  saes = $state.raw<OpenSae[]>([])
  /** The prompt as it is being written. */
  readonly draft = new PromptDraft(() => this.model?.vocabulary ?? null)
  /** The positions that the person chose for splices; null for the default. */
  chosenPositions = $state<SplicePositions | null>(null)
  processing = $state.raw<Processing>('auto')
  layerOrder = $state<LayerOrder>('checkpoint')
  /** Positions that metrics and the mean KL run over. */
  metricPositions = $state<RunRequest['metricPositions']>('no-special')
  /** Which variants of several SAEs together run. */
  joint = $state.raw<JointChoice>({ spliced: false, withError: false })
  /** Columns of edited features (`edits.svelte.ts` changes them). */
  columns = $state.raw<readonly EditColumn[]>([])
  /** What is being opened, in words; null when nothing is. */
  opening = $state<string | null>(null)
  /** Why the last model or SAE did not open, shown by its picker. */
  modelError = $state.raw<ErrorData | null>(null)
  saeError = $state.raw<ErrorData | null>(null)
  /** The run that is shown, by its id in the history: the next start shows it again. */
  shownRun: string | null = null
  /** Whether the open model is the demo's. */
  isDemo = $state(false)

  /** Positions that splices cover: all, as in TransformerLens and SAELens; the demo leaves special tokens alone, as its report does. */
  positions = $derived<SplicePositions>(this.chosenPositions ?? (this.isDemo ? 'no-special' : 'all'))

  /** The SAEs of a run, as it asks for them. */
  asked = $derived(this.saes.map(sae => ({ name: sae.name, ...asAsked(sae) })))

  /** The variants of a run, in the order shown. */
  variants = $derived(shownVariants(this.saes, this.joint, this.positions, this.columns))

  constructor() {
    // A default takes the place of the one before, not of what a person chose.
    settings.follow((now, before) => {
      if (this.processing === before.processing) this.processing = now.processing
      if (this.layerOrder === before.layerOrder) this.layerOrder = now.layerOrder
      if (this.metricPositions === before.metricPositions) this.metricPositions = now.metricPositions
    })
  }

  /** The open SAE of a source, also of one that was harvested with it; undefined where there is none. */
  saeOfSource(source: string | null): OpenSae | undefined {
    if (source === null) return undefined
    const own = mirrorSources.aboutOwn(source)
    return this.saes.find(sae => sourceOf(sae) === source) ?? this.saes.find(({ summary }) => summary.path === own?.sae.path)
  }

  /** The colour of an open SAE. */
  colorOf(name: string): string {
    return colorOfSae(this.saes.findIndex(sae => sae.name === name))
  }

  /** The request for the present prompt; null without a model, or while the prompt is none. */
  request(): RunInput | null {
    const prompt = this.draft.asked
    if (this.model === null || prompt === null) return null
    return {
      model: this.model.path,
      saes: this.asked,
      prompt,
      variants: this.variants.map(({ name, splices, edits }) => ({ name, splices, ...(edits === undefined ? {} : { edits }) })),
      processing: this.processing,
      layerOrder: this.layerOrder,
      metricPositions: this.metricPositions,
      topK: settings.values.topK,
      topFeatures: settings.values.topFeatures,
      provider: 'auto'
    }
  }

  /** Opens what was open last (the demo at first). True when a model opened. */
  async restore(): Promise<boolean> {
    this.opening = 'workspace'
    try {
      const saved = await client.library.workspace()
      this.draft.use(saved.prompt)
      this.shownRun = saved.run
      this.isDemo = saved.isDemo
      this.model = await client.library.openModel({ path: saved.model })
      this.modelError = null
      this.saes = []
      for (const sae of saved.saes) {
        const added = await this.#add(sae.path, sae, sae.source, sae.name)
        if (!added && this.saeError !== null) {
          notices.show({ level: 'error', message: `An SAE that was open last is not open now: ${sae.path}.`, error: this.saeError })
        }
      }
      this.columns = this.#ofOpenSaes(columnsOf(saved.edited))
      return true
    } catch (thrown) {
      this.modelError = errorOf(thrown)
      return false
    } finally {
      this.opening = null
    }
  }

  /**
   * Takes over what a run was asked for with: model, SAEs by their names in it, prompt, variants, how to read. Gives why its model did
   * not open, or null; SAEs that do not open are named in a notice. `keepsColumns`: columns of edits stay as they are, as at a start,
   * which knows them itself and may have seen them change since that run.
   */
  async adopt(request: RunRequest, { keepsColumns = false }: { keepsColumns?: boolean } = {}): Promise<ErrorData | null> {
    const { model, saes, prompt, variants: all, processing, layerOrder, metricPositions } = request
    // What needs no file comes at once, so that it does not overtake what is typed next.
    this.draft.use(prompt)
    const variants = all.filter(variant => !isEdited(variant))
    const together = variants.filter(({ splices }) => splices.length > 1)
    const allWithError = together.filter(({ splices }) => splices.every(({ errorTerm }) => errorTerm))
    this.joint = { spliced: together.length > allWithError.length, withError: allWithError.length > 0 }
    this.chosenPositions = all.flatMap(({ splices }) => splices)[0]?.positions ?? null
    this.processing = processing
    this.layerOrder = layerOrder
    this.metricPositions = metricPositions
    this.opening = model
    try {
      if (this.model?.path !== model) this.model = await client.library.openModel({ path: model })
      this.modelError = null
      const opened = await Promise.all(saes.map(sae => this.#reopen(sae, variants)))
      this.saes = opened.filter(sae => sae !== null)
      this.columns = this.#ofOpenSaes(keepsColumns ? this.columns : columnsOf(all))
    } catch (thrown) {
      return errorOf(thrown)
    } finally {
      this.opening = null
    }
    await this.save()
    return null
  }

  #ofOpenSaes(columns: readonly EditColumn[]): EditColumn[] {
    return columnsWithout(columns, name => this.saes.some(sae => sae.name === name))
  }

  /** An SAE as a run had it; null, with a notice, where it does not open any more. */
  async #reopen(sae: RunSae, variants: RunRequest['variants']): Promise<OpenSae | null> {
    const { name, path, hook, hookOut, normFactor, source } = sae
    try {
      const summary = await client.library.openSae({ path, hook, hookOut, normFactor, model: this.model?.path })
      return { name, summary, hook, hookOut, normFactor, chosenSource: source, ...variantsOf(sae, variants) }
    } catch (thrown) {
      notices.show({ level: 'error', message: `An SAE of this run does not open: ${path}.`, error: errorOf(thrown) })
      return null
    }
  }

  /** Opens a model folder. SAEs that do not fit it are closed and named in a notice. False, with `modelError`, when it does not open. */
  async openModel(path: string): Promise<boolean> {
    this.opening = path
    this.modelError = null
    try {
      const model = await client.library.openModel({ path })
      const former = this.saes
      this.model = model
      this.saes = []
      for (const sae of former) {
        try {
          const { hook, hookOut, normFactor } = sae
          const summary = await client.library.openSae({ path: sae.summary.path, hook, hookOut, normFactor, model: model.path })
          this.saes = [...this.saes, { ...sae, summary }]
        } catch (thrown) {
          const error = errorOf(thrown)
          notices.show({ level: 'warning', message: `${sae.summary.name} was closed: it does not fit ${model.name}.`, error })
        }
      }
      this.columns = this.#ofOpenSaes(this.columns)
      this.isDemo = false
      await this.save()
      return true
    } catch (thrown) {
      this.modelError = errorOf(thrown)
      return false
    } finally {
      this.opening = null
    }
  }

  /** Opens one more SAE, at another hook point where one is named. False, with `saeError`, when it does not open or fit. */
  async addSae(path: string, hook?: string): Promise<boolean> {
    this.opening = path
    this.saeError = null
    const added = await this.#add(path, { hook })
    this.opening = null
    if (added) void this.save()
    return added
  }

  async #add(
    path: string,
    { hook, hookOut, normFactor }: Partial<SaePlacing>,
    source?: string | null,
    formerName?: string
  ): Promise<boolean> {
    try {
      const summary = await client.library.openSae({ path, hook, hookOut, normFactor, model: this.model?.path })
      const taken = this.saes.map(sae => sae.name)
      const name = formerName !== undefined && !taken.includes(formerName) ? formerName : runNameOf(summary.name, taken)
      const variants = { alone: true, withError: false, joined: 'spliced' } as const
      this.saes = [...this.saes, { name, summary, hook, hookOut, normFactor, chosenSource: source, ...variants }]
      return true
    } catch (thrown) {
      this.saeError = errorOf(thrown)
      return false
    }
  }

  /** Closes an SAE, and the columns in which its features are edited. */
  removeSae(name: string): void {
    this.saes = this.saes.filter(sae => sae.name !== name)
    this.columns = this.#ofOpenSaes(this.columns)
    void this.save()
  }

  /** Changes an open SAE's choices: its source, and which of its variants run. */
  changeSae(name: string, change: Partial<Pick<OpenSae, 'chosenSource' | 'alone' | 'withError'>>): void {
    this.saes = this.saes.map(sae => (sae.name === name ? { ...sae, ...change } : sae))
    void this.save()
  }

  /** What an SAE does in the joint variant; another one at its hook point is left out then, for only one can stand there. */
  joinSae(name: string, joined: Joined): void {
    const joining = this.saes.find(sae => sae.name === name)
    if (joining === undefined) return
    const yields = (sae: OpenSae) => joined !== 'left-out' && targetOf(sae) === targetOf(joining)
    this.saes = this.saes.map(sae => (sae === joining ? { ...sae, joined } : yields(sae) ? { ...sae, joined: 'left-out' } : sae))
  }

  /** Puts an open SAE on other hook points or another norm factor (undefined: its own). False, with `saeError`, when it does not fit there. */
  async placeSae(name: string, change: Partial<SaePlacing>): Promise<boolean> {
    const sae = this.saes.find(open => open.name === name)
    if (sae === undefined) return false
    this.saeError = null
    const { hook, hookOut, normFactor } = { ...sae, ...change }
    try {
      const summary = await client.library.openSae({ path: sae.summary.path, hook, hookOut, normFactor, model: this.model?.path })
      this.saes = this.saes.map(open => (open.name === name ? { ...open, summary, hook, hookOut, normFactor } : open))
      void this.save()
      return true
    } catch (thrown) {
      this.saeError = errorOf(thrown)
      return false
    }
  }

  /** Keeps the workspace for the next start. */
  async save(): Promise<void> {
    if (this.model === null) return
    try {
      const saved = await client.library.saveWorkspace({
        model: this.model.path,
        saes: this.asked,
        edited: this.variants.filter(isEdited).map(({ name, splices, edits }) => ({ name, splices, edits })),
        prompt: this.draft.asked ?? { text: this.draft.text, prependBos: this.draft.prependBos },
        run: this.shownRun
      })
      this.isDemo = saved.isDemo
    } catch (thrown) {
      notices.show({
        level: 'warning',
        key: 'save-workspace',
        message: 'The workspace was not kept for the next start.',
        error: errorOf(thrown)
      })
    }
  }
}

export const workspace = new Workspace()
