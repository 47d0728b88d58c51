/** What is open: one model, its SAEs, the prompt, and how to read them. Everything a run request is made of. */

import type { z } from 'zod'
import type { ErrorData } from '../../contract/errors.ts'
import type { ModelSummary, SaeSummary } from '../../contract/library.ts'
import type { LayerOrder, Processing, runRequest, SplicePositions, Variant } from '../../contract/run.ts'
import { client, errorOf } from './connection.svelte.ts'
import { notices } from './notices.svelte.ts'
import { runNameOf } from './run-name.ts'

/**
 * An open SAE. `name` is its name in a run; `hook` overrides its own hook point; `chosenSource` is the source that the person chose
 * (null for none), undefined where the one found by repo and path holds.
 */
export type OpenSae = {
  name: string
  summary: SaeSummary
  hook: string | undefined
  chosenSource: string | null | undefined
  withError: boolean
}

/** A run as it is asked for. */
export type RunInput = z.input<typeof runRequest>

/** A variant with its fixed colour (a CSS variable's name) and line; `sae` is null for clean. */
export type ShownVariant = Variant & { color: string; dashed: boolean; sae: string | null }

const colors = ['--variant-1', '--variant-2', '--variant-3', '--variant-4', '--variant-5']

/** The hook point in force for an SAE: the one named by hand, else its own; null when nothing says it. */
export function hookOf(sae: OpenSae): string | null {
  return sae.hook ?? sae.summary.hook
}

/** The Neuronpedia source in force for an SAE, or null when none is known or chosen. */
export function sourceOf(sae: OpenSae): string | null {
  return sae.chosenSource === undefined ? sae.summary.source : sae.chosenSource
}

class Workspace {
  model = $state.raw<ModelSummary | null>(null)
  saes = $state.raw<OpenSae[]>([])
  promptText = $state('')
  prependBos = $state(true)
  /** The positions that the person chose for splices; null for the default. */
  chosenPositions = $state<SplicePositions | null>(null)
  processing = $state.raw<Processing>('auto')
  layerOrder = $state<LayerOrder>('checkpoint')
  /** What is being opened, in words; null when nothing is. */
  opening = $state<string | null>(null)
  /** Why the last model or SAE did not open, shown by its picker. */
  modelError = $state.raw<ErrorData | null>(null)
  saeError = $state.raw<ErrorData | null>(null)
  /** Whether the open model is the demo's. */
  isDemo = $state(false)

  /** Positions that splices cover: all, as in TransformerLens and SAELens; the demo leaves special tokens alone, as its report does. */
  positions = $derived<SplicePositions>(this.chosenPositions ?? (this.isDemo ? 'no-special' : 'all'))

  /** The variants of a run, in the order shown: clean, then each SAE's splice and, where asked for, its splice with the error term. */
  variants = $derived.by<ShownVariant[]>(() => {
    const shown: ShownVariant[] = [{ name: 'clean', splices: [], color: '--variant-clean', dashed: false, sae: null }]
    for (const [index, sae] of this.saes.entries()) {
      const color = colors[index % colors.length] ?? '--variant-1'
      const splice = { sae: sae.name, positions: this.positions }
      shown.push({ name: `spliced: ${sae.name}`, splices: [{ ...splice, errorTerm: false }], color, dashed: false, sae: sae.name })
      if (sae.withError) {
        shown.push({ name: `spliced: ${sae.name}+error`, splices: [{ ...splice, errorTerm: true }], color, dashed: true, sae: sae.name })
      }
    }
    return shown
  })

  /** The look of a variant by name, also of one that is no longer among the open ones. */
  look(name: string): { color: string; dashed: boolean } {
    return this.variants.find(variant => variant.name === name) ?? { color: '--variant-clean', dashed: name.endsWith('+error') }
  }

  /** The request for the present prompt; null without a model. */
  request(): RunInput | null {
    if (this.model === null) return null
    return {
      model: this.model.path,
      saes: this.saes.map(sae => ({
        name: sae.name,
        path: sae.summary.path,
        ...(sae.hook === undefined ? {} : { hook: sae.hook }),
        ...(sae.chosenSource === undefined ? {} : { source: sae.chosenSource })
      })),
      prompt: { text: this.promptText, prependBos: this.prependBos },
      variants: this.variants.map(({ name, splices }) => ({ name, splices })),
      processing: this.processing,
      layerOrder: this.layerOrder,
      topK: 10,
      topFeatures: 12,
      provider: 'auto'
    }
  }

  /** Opens what was open last (the demo at first). True when a model opened. */
  async restore(): Promise<boolean> {
    this.opening = 'workspace'
    try {
      const saved = await client.library.workspace()
      this.promptText = saved.promptText
      this.isDemo = saved.isDemo
      this.model = await client.library.openModel({ path: saved.model })
      this.modelError = null
      this.saes = []
      for (const sae of saved.saes) {
        const added = await this.#add(sae.path, sae.hook, sae.source)
        if (!added && this.saeError !== null) {
          notices.show({ level: 'error', message: `An SAE that was open last is not open now: ${sae.path}.`, error: this.saeError })
        }
      }
      return true
    } catch (thrown) {
      this.modelError = errorOf(thrown)
      return false
    } finally {
      this.opening = null
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
          const summary = await client.library.openSae({ path: sae.summary.path, hook: sae.hook, model: model.path })
          this.saes = [...this.saes, { ...sae, summary }]
        } catch (thrown) {
          const error = errorOf(thrown)
          notices.show({ level: 'warning', message: `${sae.summary.name} was closed: it does not fit ${model.name}.`, error })
        }
      }
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
    const added = await this.#add(path, hook)
    this.opening = null
    if (added) void this.save()
    return added
  }

  async #add(path: string, hook?: string, source?: string | null): Promise<boolean> {
    try {
      const summary = await client.library.openSae({ path, hook, model: this.model?.path })
      const name = runNameOf(
        summary.name,
        this.saes.map(sae => sae.name)
      )
      this.saes = [...this.saes, { name, summary, hook, chosenSource: source, withError: false }]
      return true
    } catch (thrown) {
      this.saeError = errorOf(thrown)
      return false
    }
  }

  /** Closes an SAE. */
  removeSae(name: string): void {
    this.saes = this.saes.filter(sae => sae.name !== name)
    void this.save()
  }

  /** Changes an open SAE's choices: its source, or whether its splice is also run with the error term. */
  changeSae(name: string, change: Partial<Pick<OpenSae, 'chosenSource' | 'withError'>>): void {
    this.saes = this.saes.map(sae => (sae.name === name ? { ...sae, ...change } : sae))
    void this.save()
  }

  /** Puts an open SAE on another hook point (undefined: its own). False, with `saeError`, when it does not fit there. */
  async moveSae(name: string, hook: string | undefined): Promise<boolean> {
    const sae = this.saes.find(open => open.name === name)
    if (sae === undefined) return false
    this.saeError = null
    try {
      const summary = await client.library.openSae({ path: sae.summary.path, hook, model: this.model?.path })
      this.saes = this.saes.map(open => (open.name === name ? { ...open, summary, hook } : open))
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
        saes: this.saes.map(sae => ({
          path: sae.summary.path,
          ...(sae.hook === undefined ? {} : { hook: sae.hook }),
          ...(sae.chosenSource === undefined ? {} : { source: sae.chosenSource })
        })),
        promptText: this.promptText
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
