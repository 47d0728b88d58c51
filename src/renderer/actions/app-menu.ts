/** The app's own menu and the window: it names actions, and hears which of them there are. In a browser there is none. */
import { type ActionId, type ActionStates, actionId } from '../../contract/actions.ts'

/** Does the actions that the menu names until the returned function is called. */
export function listenToActions(run: (id: ActionId) => void): () => void {
  return (
    window.splice?.onAction(said => {
      const id = actionId.safeParse(said)
      if (id.success) run(id.data)
    }) ?? (() => undefined)
  )
}

let told = ''

/** Tells the menu what it can offer, where that has changed. */
export function tellActionStates(states: ActionStates): void {
  const text = JSON.stringify(states)
  if (text === told) return
  told = text
  window.splice?.tellActionStates(states)
}
