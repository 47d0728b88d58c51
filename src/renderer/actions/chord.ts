/** Chords such as `Mod+Shift+K`: read, compared with what was pressed, and written as the platform writes them. */

export interface Chord {
  readonly mod: boolean
  readonly alt: boolean
  readonly shift: boolean
  /** As `KeyboardEvent.key` names it; letters in lower case. */
  readonly key: string
}

/** What of a keyboard event says which chord it is. */
export type Pressed = Pick<KeyboardEvent, 'key' | 'code' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'getModifierState'>

/** Reads a chord. Throws where it has no key, or a modifier that there is not. */
export function parseChord(text: string): Chord {
  // The last key may be a plus itself.
  const [, before = '', key = ''] = /^(.*?)([^+]+|\+)$/.exec(text) ?? []
  const modifiers = before.split('+').filter(name => name !== '')
  const unknown = modifiers.find(name => !['Mod', 'Alt', 'Shift'].includes(name))
  if (key === '' || unknown !== undefined)
    throw new Error(`${text}: ${unknown ?? 'a key'} is not ${unknown === undefined ? 'there' : 'a modifier'}`)
  return {
    mod: modifiers.includes('Mod'),
    alt: modifiers.includes('Alt'),
    shift: modifiers.includes('Shift'),
    key: key.length === 1 ? key.toLowerCase() : key
  }
}

/** Whether a chord was pressed. A sign such as `?` is one however a keyboard makes it; a digit with Alt is one by its place. */
export function isPressed(chord: Chord, event: Pressed, isMac: boolean): boolean {
  // AltGr makes signs, and says that Ctrl and Alt are down on Windows.
  const makesSign = event.getModifierState('AltGraph')
  const [mod, other] = isMac ? [event.metaKey, event.ctrlKey] : [event.ctrlKey && !makesSign, event.metaKey]
  const alt = event.altKey && !makesSign
  const isSign = chord.key.length === 1 && !/[a-z0-9]/.test(chord.key)
  if (mod !== chord.mod || other || alt !== chord.alt) return false
  if (!isSign && event.shiftKey !== chord.shift) return false
  if (chord.alt && /^\d$/.test(chord.key)) return event.code === `Digit${chord.key}`
  return (event.key.length === 1 ? event.key.toLowerCase() : event.key) === chord.key
}

/** Whether a chord writes nothing into a text field: it has Ctrl, Cmd or Alt. */
export function isCommand({ mod, alt }: Chord): boolean {
  return mod || alt
}

const names: Readonly<Record<string, string>> = {
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  Escape: 'Esc',
  Delete: 'Del',
  PageUp: 'PgUp',
  PageDown: 'PgDn',
  ' ': 'Space'
}

/** A chord as the platform writes it: `Ctrl+K`, `⌘K`. */
export function chordLabel(text: string, isMac: boolean): string {
  const { mod, alt, shift, key } = parseChord(text)
  const name = names[key] ?? (key.length === 1 ? key.toUpperCase() : key)
  if (isMac) return `${alt ? '⌥' : ''}${shift ? '⇧' : ''}${mod ? '⌘' : ''}${name}`
  return [...(mod ? ['Ctrl'] : []), ...(alt ? ['Alt'] : []), ...(shift ? ['Shift'] : []), name].join('+')
}

/** Whether this window is on a Mac. */
export const isMac = typeof navigator !== 'undefined' && /mac/i.test(navigator.platform)
