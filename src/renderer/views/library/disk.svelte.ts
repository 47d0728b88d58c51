/** What is on this disk as the library shows it: the last scan at once, a new one under way, filters, order and selection. */
import type { ErrorData } from '../../../contract/errors.ts'
import type { DiskContents, DiskModel, DiskSae, LibraryFolder, UnreadableItem } from '../../../contract/library.ts'
import { client, errorOf } from '../../state/connection.svelte.ts'
import { settings } from '../../state/settings.svelte.ts'
import { workspace } from '../../state/workspace.svelte.ts'
import { fitsModel } from './fit.ts'

export type ModelColumn = 'name' | 'family' | 'parameters' | 'dtype' | 'layers' | 'dModel' | 'context' | 'sizeBytes' | 'memoryEstimateBytes'
export type SaeColumn = 'name' | 'hook' | 'dIn' | 'dSae' | 'averageL0' | 'source' | 'release' | 'format' | 'dtype' | 'sizeBytes'
export type Order<Column> = { column: Column; descending: boolean }

function compare(a: unknown, b: unknown): number {
  // What is not known comes last, whichever way.
  if (a === null || a === undefined) return b === null || b === undefined ? 0 : 1
  if (b === null || b === undefined) return -1
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return String(a).localeCompare(String(b), 'en', { numeric: true })
}

function sorted<Item, Column extends keyof Item>(items: readonly Item[], { column, descending }: Order<Column>): Item[] {
  const known = (item: Item) => item[column] !== null
  return [...items].sort((a, b) => {
    const order = compare(a[column], b[column])
    return descending && known(a) && known(b) ? -order : order
  })
}

const nothing: DiskContents = { models: [], saes: [], unreadable: [], scannedAt: null, folders: 0, limits: [] }

class Disk {
  contents = $state.raw<DiskContents>(nothing)
  /** Whether the kept contents have been read. */
  loaded = $state(false)
  folders = $state.raw<LibraryFolder[]>([])
  error = $state.raw<ErrorData | null>(null)
  /** Where the scan under way is; null when none is. */
  scanning = $state.raw<{ folder: string; folders: number } | null>(null)

  filter = $state('')
  onlyFitting = $state(false)
  show = $state<'all' | 'models' | 'saes' | 'unreadable'>('all')
  modelOrder = $state.raw<Order<ModelColumn>>({ column: 'name', descending: false })
  saeOrder = $state.raw<Order<SaeColumn>>({ column: 'name', descending: false })

  #abort: AbortController | null = null

  #matches(item: { name: string; path: string; hub: { repo: string } | null }, ...more: (string | null)[]): boolean {
    const words = this.filter.toLowerCase().split(/\s+/).filter(Boolean)
    const text = [item.name, item.path, item.hub?.repo, ...more].join(' ').toLowerCase()
    return words.every(word => text.includes(word))
  }

  models = $derived.by<DiskModel[]>(() => {
    if (this.show !== 'all' && this.show !== 'models') return []
    return sorted(
      this.contents.models.filter(model => this.#matches(model, model.family, model.dtype)),
      this.modelOrder
    )
  })

  saes = $derived.by<DiskSae[]>(() => {
    if (this.show !== 'all' && this.show !== 'saes') return []
    const { model } = workspace
    const shown = this.contents.saes.filter(sae => {
      if (this.onlyFitting && model !== null && !fitsModel(sae, model)) return false
      return this.#matches(sae, sae.hook, sae.release, sae.source, sae.format, sae.architecture)
    })
    return sorted(shown, this.saeOrder)
  })

  unreadable = $derived.by<UnreadableItem[]>(() => {
    if (this.show !== 'all' && this.show !== 'unreadable') return []
    return this.contents.unreadable.filter(item => this.#matches(item, item.error.message))
  })

  /** Takes what the last scan found, then looks whether something changed. */
  async load(): Promise<void> {
    try {
      const [contents, folders] = await Promise.all([client.library.onDisk(), client.library.folders()])
      this.contents = contents
      this.folders = folders
      this.loaded = true
      this.error = null
    } catch (thrown) {
      this.error = errorOf(thrown)
      return
    }
    await this.scan()
  }

  /** Looks through the library's folders; one scan at a time. What was known stays on screen until the new answer is whole. */
  async scan(): Promise<void> {
    if (this.scanning !== null) return
    const abort = new AbortController()
    this.#abort = abort
    this.scanning = { folder: '', folders: 0 }
    this.error = null
    const isFirst = this.contents.scannedAt === null
    try {
      for await (const event of await client.library.scan({}, { signal: abort.signal })) {
        if (event.type === 'result') this.contents = event.contents
        else {
          this.scanning = { folder: event.folder, folders: event.folders }
          // The first time there is nothing to keep on screen, so what is found shows at once.
          if (isFirst) {
            const { models, saes, unreadable } = this.contents
            this.contents = {
              ...this.contents,
              models: [...models, ...event.models],
              saes: [...saes, ...event.saes],
              unreadable: [...unreadable, ...event.unreadable]
            }
          }
        }
      }
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      this.scanning = null
      this.#abort = null
    }
  }

  /** Stops the scan; what was known stays. */
  cancel(): void {
    this.#abort?.abort()
  }

  /** Takes where the library looks, without looking. */
  async loadFolders(): Promise<void> {
    try {
      this.folders = await client.library.folders()
    } catch (thrown) {
      this.error = errorOf(thrown)
    }
  }

  /** Changes where the library looks, and looks there. */
  async changeFolders(change: Partial<{ folders: string[]; demo: boolean; hubCache: boolean }>): Promise<void> {
    await settings.change({ library: { ...settings.values.library, ...change } })
    this.cancel()
    await this.loadFolders()
    // The cancelled scan ends first.
    await Promise.resolve()
    await this.scan()
  }

  orderModels(column: ModelColumn): void {
    this.modelOrder = next(this.modelOrder, column)
  }

  orderSaes(column: SaeColumn): void {
    this.saeOrder = next(this.saeOrder, column)
  }
}

function next<Column>(order: Order<Column>, column: Column): Order<Column> {
  return { column, descending: order.column === column && !order.descending }
}

export const disk = new Disk()
