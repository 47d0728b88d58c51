/** The lever: which feature it is set to, where it stands, and what of its settings outlives it. */
import { client } from './connection.svelte.ts'
import type { EditSetting } from './edited-variants.ts'
import { edits } from './edits.svelte.ts'
import { sourceOf, workspace } from './workspace.svelte.ts'

/**
 * A feature of an open SAE. `maximum`: its largest activation as the mirror knows it; `seen`: the largest here. `position`: the token that
 * is looked at, or null. `firstNew`: the position after the prompt, where something is generated.
 */
export type LeverTarget = {
  sae: string
  feature: number
  maximum: number | null
  seen: number | null
  position: number | null
  firstNew?: number | null
}

class Lever {
  open = $state(false)
  target = $state.raw<LeverTarget | null>(null)
  /** The largest activation of its feature as the mirror knows it. */
  maximum = $state<number | null>(null)
  /** The column that it changes; null where the next change makes one. */
  column = $state<number | null>(null)
  /** In what activations are edited; steering has a choice of its own. */
  setting = $state<Exclude<EditSetting, 'as-is'>>('spliced')
  steering = $state<EditSetting>('as-is')
  /** The button that it hangs from. */
  #anchor: HTMLElement | null = null
  #rect = new DOMRect()

  /** Where it hangs: rows come and go with every run, and it stays where it was. */
  readonly place = {
    getBoundingClientRect: (): DOMRect => {
      if (this.#anchor?.isConnected) this.#rect = this.#anchor.getBoundingClientRect()
      return this.#rect
    }
  }

  /** Opens it for a feature; a column that edits this feature alone is the one that it changes. */
  show(target: LeverTarget, anchor: HTMLElement | null): void {
    edits.settle()
    const own = workspace.columns.findLast(({ edits: [edit, ...others] }) => {
      return others.length === 0 && edit?.sae === target.sae && edit.feature === target.feature
    })
    this.#anchor = anchor
    this.#rect = anchor?.getBoundingClientRect() ?? new DOMRect(innerWidth / 2, innerHeight / 3, 0, 0)
    this.target = target
    this.maximum = target.maximum
    this.column = own?.id ?? null
    this.open = true
    if (target.maximum === null) void this.#ask(target)
  }

  /** Asks the mirror for the maximum of a feature that came without. */
  async #ask(target: LeverTarget): Promise<void> {
    const sae = this.saeOf(target)
    const source = sae === undefined ? null : sourceOf(sae)
    if (source === null) return
    try {
      const [known] = await client.explanations.explain({ source, indices: [target.feature] })
      if (this.target === target) this.maximum = known?.maxActivation ?? null
    } catch {
      // What was seen here, or a plain number, is the measure then.
    }
  }

  /** Puts the focus back where it came from. */
  giveBack(): void {
    if (this.#anchor?.isConnected) this.#anchor.focus({ preventScroll: true })
  }

  /** The open SAE of a target; undefined where it is closed, or has no such feature. */
  saeOf({ sae, feature }: Pick<LeverTarget, 'sae' | 'feature'>) {
    return workspace.saes.find(({ name, summary }) => name === sae && feature < summary.dSae)
  }
}

export const lever = new Lever()
