/** The one place that decides about the keys of actions: which action a chord is, and whether it belongs to something else. */
import { type ActionId, type ActionView, actionId, chordsOf, wordsOf } from '../../contract/actions.ts'
import { type Chord, isCommand, isMac, isPressed, type Pressed, parseChord } from './chord.ts'

export interface Binding {
  readonly id: ActionId
  readonly chord: Chord
  readonly views: readonly ActionView[] | undefined
  readonly textFirst: boolean
}

/** Every chord of every action on a platform. */
export function bindings(onMac: boolean): readonly Binding[] {
  return actionId.options.flatMap(id => {
    const words = wordsOf(id)
    return chordsOf(words, onMac).map(text => ({ id, chord: parseChord(text), views: words.views, textFirst: words.textFirst === true }))
  })
}

/** Pairs of actions that one chord would ask for at one place. */
export function clashes(all: readonly Binding[]): [ActionId, ActionId][] {
  const meet = (a: Binding, b: Binding) => a.views === undefined || b.views === undefined || a.views.some(view => b.views?.includes(view))
  const same = (a: Binding, b: Binding) => JSON.stringify(a.chord) === JSON.stringify(b.chord)
  return all.flatMap((a, at) => all.slice(at + 1).flatMap((b): [ActionId, ActionId][] => (same(a, b) && meet(a, b) ? [[a.id, b.id]] : [])))
}

/** Where the focus is, as far as keys care: `text` writes, `widget` has keys of its own (lists, tabs, menus, selects), `dialog` is modal. */
export type Focus = 'free' | 'widget' | 'text' | 'dialog'

/** Where a key goes. */
export function focusOf(target: EventTarget | null): Focus {
  if (document.querySelector('[role="dialog"][aria-modal="true"], [role="alertdialog"]') !== null) return 'dialog'
  if (!(target instanceof Element)) return 'free'
  if (target.closest('input:not([type="checkbox"], [type="radio"], [type="button"]), textarea, [contenteditable="true"]') !== null)
    return 'text'
  if (target.closest('input, select, [role="dialog"], [role="tablist"], [role="listbox"], [role="menu"], [role="menubar"]') !== null)
    return 'widget'
  return 'free'
}

/** The action that a key press asks for in a view, or null. */
export function actionOf(event: Pressed, view: string, focus: Focus, all: readonly Binding[], onMac: boolean): ActionId | null {
  if (focus === 'dialog') return null
  const found = all.find(
    ({ chord, views, textFirst }) =>
      isPressed(chord, event, onMac) &&
      (views === undefined || views.some(own => own === view)) &&
      (focus === 'free' || (isCommand(chord) && !(textFirst && focus === 'text')))
  )
  return found?.id ?? null
}

/**
 * Listens to the window's keys until the returned function is called. `run` does an action and says whether it could; only then is the key
 * taken. What a widget has taken already (`defaultPrevented`) is left alone.
 */
export function listenToKeys(view: () => string, run: (id: ActionId) => boolean): () => void {
  const all = bindings(isMac).filter(({ chord }) => chord.key !== 'Shift')
  const alone = bindings(isMac).filter(({ chord }) => chord.key === 'Shift')
  /** Shift counts only when it is pressed and released by itself: Shift+Tab and Shift+click mean other things. */
  let shiftAlone = false
  const keydown = (event: KeyboardEvent) => {
    shiftAlone = event.key === 'Shift' && !event.ctrlKey && !event.metaKey && !event.altKey && focusOf(event.target) === 'free'
    if (event.defaultPrevented || event.isComposing) return
    const id = actionOf(event, view(), focusOf(event.target), all, isMac)
    if (id !== null && run(id)) event.preventDefault()
  }
  const keyup = (event: KeyboardEvent) => {
    if (event.key !== 'Shift' || !shiftAlone) return
    shiftAlone = false
    const found = alone.find(({ views }) => views === undefined || views.some(own => own === view()))
    if (found !== undefined) run(found.id)
  }
  const pointerdown = () => {
    shiftAlone = false
  }
  window.addEventListener('keydown', keydown)
  window.addEventListener('keyup', keyup)
  window.addEventListener('pointerdown', pointerdown)
  return () => {
    window.removeEventListener('keydown', keydown)
    window.removeEventListener('keyup', keyup)
    window.removeEventListener('pointerdown', pointerdown)
  }
}
