/** The cell that is chosen, in the view and in the address, which follows when the choice rests. */
import type { PatchCell } from '../../../contract/patching.ts'
import { navigation } from '../../state/navigation.svelte.ts'
import { patching } from '../../state/patching.svelte.ts'
import { selection } from '../../state/selection.svelte.ts'
import { queryOfCell } from './cell-address.ts'

/** Browsers refuse addresses that change too often, as under a held arrow key. */
const restMilliseconds = 200

class PatchChoice {
  #resting: ReturnType<typeof setTimeout> | undefined
  /** Whether the table is shown in place of the heat maps. */
  asTable = $state(false)
  /** A source token that was taken up, to be put at a token of the prompt. */
  taken = $state<number | null>(null)

  /** Chooses a cell, and with `looks` asks what is predicted with it. */
  choose(cell: PatchCell | null, { looks }: { looks: boolean }): void {
    patching.cell = cell
    if (cell !== null && cell.position !== null) selection.select(cell.position)
    clearTimeout(this.#resting)
    this.#resting = setTimeout(() => {
      if (navigation.route.view === 'patching') navigation.setQuery(queryOfCell(patching.cell))
    }, restMilliseconds)
    if (looks && cell !== null) void patching.look()
  }

  /** Selects a token of the prompt, and moves the cell that is chosen there. */
  moveTo(position: number): void {
    selection.select(position)
    const { cell } = patching
    if (cell !== null && cell.position !== null) this.choose({ ...cell, position, from: null }, { looks: false })
  }

  /** Puts what the source has at a position into a position of the prompt, where the cell chosen is, by default before the first block. */
  tryFrom(from: number, position: number): void {
    const { site, layer, head } = patching.cell ?? { site: patching.grids[0]?.site ?? 'resid_pre', layer: 0, head: null }
    this.taken = null
    this.choose({ site, layer, head, position, from: from === position ? null : from }, { looks: true })
  }
}

export const patchChoice = new PatchChoice()
