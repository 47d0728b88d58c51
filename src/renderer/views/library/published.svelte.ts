/** What is published: the table of releases, a model and a family of it, their SAEs, and the one that is looked at. */
import type { ErrorData } from '../../../contract/errors.ts'
import type { CatalogueSource, InstalledCatalogue, PublishedSae, ReleaseTable } from '../../../contract/releases.ts'
import { client, errorOf } from '../../state/connection.svelte.ts'
import { navigation } from '../../state/navigation.svelte.ts'
import { workspace } from '../../state/workspace.svelte.ts'
import { disk } from './disk.svelte.ts'

/** A model of which something is published. */
export type PublishedModel = { model: string; repo: string | null; saes: number; onDisk: number }
export type Family = { family: string; saes: number; onDisk: number; explained: number; withSource: number }

/** What tells a published SAE from all others. */
export function keyOf(sae: PublishedSae): string {
  return `${sae.repo}/${sae.path ?? sae.names[0]?.saeId ?? ''}`
}

class Published {
  table = $state.raw<ReleaseTable | null>(null)
  saes = $state.raw<PublishedSae[]>([])
  /** The model whose SAEs are loaded. */
  loadedModel = $state('')
  error = $state.raw<ErrorData | null>(null)
  updating = $state(false)
  updateError = $state.raw<ErrorData | null>(null)
  installed = $state.raw<InstalledCatalogue[] | null>(null)

  models = $derived.by<PublishedModel[]>(() => {
    const models = new Map<string, PublishedModel>()
    for (const { model, modelRepo, saes, onDisk } of this.table?.releases ?? []) {
      const before = models.get(model) ?? { model, repo: modelRepo, saes: 0, onDisk: 0 }
      models.set(model, { ...before, saes: before.saes + saes, onDisk: before.onDisk + onDisk })
    }
    return [...models.values()].sort((a, b) => a.model.localeCompare(b.model, 'en', { numeric: true }))
  })

  /** The model in the address; else that of the open model, else the one most is published of. */
  model = $derived.by(() => {
    const { model } = navigation.route.query
    if (model !== undefined && this.models.some(one => one.model === model)) return model
    const open = workspace.isDemo ? 'demo-gemma2-tiny' : workspace.model?.name.toLowerCase()
    const same = this.models.find(one => one.model.toLowerCase() === open || one.repo?.split('/')[1]?.toLowerCase() === open)
    return same?.model ?? this.models.toSorted((a, b) => b.saes - a.saes)[0]?.model ?? ''
  })

  families = $derived.by<Family[]>(() => {
    const families = new Map<string, Family>()
    for (const sae of this.saes) {
      const before = families.get(sae.family) ?? { family: sae.family, saes: 0, onDisk: 0, explained: 0, withSource: 0 }
      families.set(sae.family, {
        family: sae.family,
        saes: before.saes + 1,
        onDisk: before.onDisk + (sae.diskPath === null ? 0 : 1),
        explained: before.explained + (sae.explanations > 0 ? 1 : 0),
        withSource: before.withSource + (sae.source === null ? 0 : 1)
      })
    }
    return [...families.values()].sort((a, b) => b.saes - a.saes)
  })

  family = $derived(this.families.find(one => one.family === navigation.route.query.family)?.family ?? this.families[0]?.family ?? '')
  shown = $derived(this.saes.filter(sae => sae.family === this.family))
  selected = $derived(this.shown.find(sae => keyOf(sae) === navigation.route.query.sae) ?? null)

  /** Loads the table and the SAEs of the model in force. Call it again when the disk or the mirror changed. */
  async load(): Promise<void> {
    try {
      this.table = await client.releases.list()
      this.error = null
      await this.loadSaes()
    } catch (thrown) {
      this.error = errorOf(thrown)
    }
  }

  async loadSaes(): Promise<void> {
    const { model } = this
    if (model === '') return
    try {
      const saes = await client.releases.saes({ model })
      if (model !== this.model) return
      this.saes = saes
      this.loadedModel = model
      this.error = null
    } catch (thrown) {
      this.error = errorOf(thrown)
    }
  }

  choose(values: { model?: string; family?: string; sae?: string }): void {
    const fresh = values.model !== undefined ? { family: undefined, sae: undefined } : values.family !== undefined ? { sae: undefined } : {}
    navigation.setQuery({ ...fresh, ...values })
  }

  /** Looks for tables in installed copies of sae_lens. */
  async findInstalled(): Promise<void> {
    try {
      this.installed = await client.releases.installed({})
    } catch (thrown) {
      this.updateError = errorOf(thrown)
    }
  }

  async #change(work: () => Promise<unknown>): Promise<void> {
    if (this.updating) return
    this.updating = true
    this.updateError = null
    try {
      await work()
      await this.load()
      // Names, sources and traps on disk come from the table too.
      disk.contents = await client.library.onDisk()
    } catch (thrown) {
      this.updateError = errorOf(thrown)
    } finally {
      this.updating = false
    }
  }

  /** Reads a newer table. */
  update(source: CatalogueSource): Promise<void> {
    return this.#change(() => client.releases.update(source))
  }

  /** Goes back to the shipped table. */
  reset(): Promise<void> {
    return this.#change(() => client.releases.reset())
  }
}

export const published = new Published()
