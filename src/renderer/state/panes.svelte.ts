/** Side panels by name: how large each is and whether it is folded away. Views that show the same kind of panel share a name. */
import type { Pane } from '../../contract/settings.ts'
import { settings } from './settings.svelte.ts'

/** `inspector`: about the selected token or feature. `hook-rows` and `hook-columns`: an activation below or beside the tables. */
export type PaneName =
  | 'navigation'
  | 'inspector'
  | 'filters'
  | 'lists'
  | 'source'
  | 'run'
  | 'item'
  | 'feature'
  | 'hook-rows'
  | 'hook-columns'

const untouched: Pane = { size: null, collapsed: false }

class Panes {
  of(name: PaneName): Pane {
    return settings.values.panes[name] ?? untouched
  }

  /** Makes a pane so large, in CSS pixels; null gives it its own size back. */
  resize(name: PaneName, size: number | null): void {
    this.#keep(name, { size: size === null ? null : Math.round(size), collapsed: false })
  }

  /** Folds a pane away or unfolds it; its size stays. */
  collapse(name: PaneName, collapsed = !this.of(name).collapsed): void {
    this.#keep(name, { ...this.of(name), collapsed })
  }

  #keep(name: PaneName, pane: Pane): void {
    const isUntouched = pane.size === null && !pane.collapsed
    settings.changeSoon({ panes: { [name]: isUntouched ? null : pane } })
  }

  /** Gives every pane its own size back. */
  async resetAll(): Promise<void> {
    await settings.change({ panes: Object.fromEntries(Object.keys(settings.values.panes).map(name => [name, null])) })
  }
}

export const panes = new Panes()
