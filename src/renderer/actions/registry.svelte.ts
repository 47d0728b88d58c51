/**
 * The one registry of actions. `src/contract/actions.ts` has their words; the shell and the views that are on screen say what they do now.
 * Where several say it, the one that came last is asked: a view knows better than the shell what its table is.
 */
import { onDestroy } from 'svelte'
import { type ActionId, type ActionStates, type ActionWords, actionId, wordsOf } from '../../contract/actions.ts'

/** What an action does now. */
export interface Behaviour {
  readonly act: () => unknown
  /** Why it cannot be done now, in a few words; undefined where it can. */
  readonly why?: string | undefined
  /** Whether a choice is in force; undefined for what is no choice. */
  readonly checked?: boolean
  /** A more exact title than the general one. */
  readonly title?: string
}

/** Some of the actions by id. */
export type Behaviours = Partial<Record<ActionId, Behaviour>>

/** An action that can be shown: its words and what it does. Actions about one SAE or variant have ids of their own. */
export interface Action extends Behaviour, Pick<ActionWords, 'group' | 'keywords' | 'keys'> {
  readonly id: string
  readonly title: string
}

const ids = actionId.options

class ActionRegistry {
  readonly #providers = new Set<() => Behaviours>()
  readonly #more = new Set<() => readonly Action[]>()
  /** Counts who came and went: once for whoever listens, once so that no change is lost while views come and go. */
  #changes = $state(0)
  #count = 0

  #join<Provider>(all: Set<Provider>, provider: Provider): () => void {
    const change = () => {
      this.#count += 1
      this.#changes = this.#count
    }
    all.add(provider)
    change()
    return () => {
      all.delete(provider)
      change()
    }
  }

  /** Says what actions do until the returned function is called. The function given is asked anew whenever somebody looks. */
  provide(behaviours: () => Behaviours): () => void {
    return this.#join(this.#providers, behaviours)
  }

  /** Adds actions that have no words of their own in the contract, such as one for each open SAE. */
  provideMore(actions: () => readonly Action[]): () => void {
    return this.#join(this.#more, actions)
  }

  /** What an action does now; null where nothing on screen does it. */
  behaviour(id: ActionId): Behaviour | null {
    void this.#changes
    for (const provider of [...this.#providers].reverse()) {
      const behaviour = provider()[id]
      if (behaviour !== undefined) return behaviour
    }
    return null
  }

  /** All actions that there are now, in the order of the contract; those that cannot be done now say why. */
  all = $derived.by((): readonly Action[] => {
    void this.#changes
    const known = [...this.#providers].reduce<Behaviours>((sum, provider) => Object.assign(sum, provider()), {})
    const named = ids.flatMap(id => {
      const behaviour = known[id]
      if (behaviour === undefined) return []
      const { title, group, keywords, keys } = wordsOf(id)
      return [{ id, title, group, ...(keywords ? { keywords } : {}), ...(keys ? { keys } : {}), ...behaviour }]
    })
    return [...named, ...[...this.#more].flatMap(actions => actions())]
  })

  /** An action as a menu shows it: one that nothing on screen does has its words, and a reason. */
  shown(id: ActionId): Action {
    const { title, group, keys } = wordsOf(id)
    const behaviour = this.behaviour(id) ?? { act: () => undefined, why: 'not in this view' }
    return { id, title, group, ...(keys ? { keys } : {}), ...behaviour }
  }

  /** What the app's menu has to know. */
  get states(): ActionStates {
    const able = new Map(this.all.map(action => [action.id, action]))
    return {
      disabled: ids.filter(id => (able.get(id)?.why ?? (able.has(id) ? undefined : 'absent')) !== undefined),
      checked: ids.filter(id => able.get(id)?.checked === true)
    }
  }

  /** Does an action. False where it cannot be done now. */
  run(id: ActionId): boolean {
    const behaviour = this.behaviour(id)
    if (behaviour === null || behaviour.why !== undefined) return false
    behaviour.act()
    return true
  }
}

export const registry = new ActionRegistry()

/** Says what actions do as long as the component that calls it is there. */
export function provideActions(behaviours: () => Behaviours): void {
  onDestroy(registry.provide(behaviours))
}

/** Adds actions as long as the component that calls it is there. */
export function provideMoreActions(actions: () => readonly Action[]): void {
  onDestroy(registry.provideMore(actions))
}
