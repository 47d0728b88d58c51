/** The cell of the lens that is looked at: a layer, and the token that is selected everywhere. The address follows when the choice rests. */
import { navigation } from '../../state/navigation.svelte.ts'
import { selection } from '../../state/selection.svelte.ts'

/** Browsers refuse addresses that change too often, as under a held arrow key. */
const restMilliseconds = 200

class LensChoice {
  #resting: ReturnType<typeof setTimeout> | undefined
  /** The label of the layer, or null. */
  label = $state<string | null>(null)
  /** Whether the table is shown in place of the heat map. */
  asTable = $state(false)

  choose(label: string | null, position: number | null): void {
    this.label = label
    selection.select(position)
    clearTimeout(this.#resting)
    this.#resting = setTimeout(() => {
      if (navigation.route.view === 'lens') navigation.setQuery({ layer: label ?? undefined, token: position ?? undefined })
    }, restMilliseconds)
  }
}

export const lensChoice = new LensChoice()
