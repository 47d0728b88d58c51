import { describe, expect, test } from 'vitest'
import { chordLabel, isPressed, type Pressed, parseChord } from './chord.ts'

function press(key: string, more: Partial<Pressed> & { altGraph?: boolean } = {}): Pressed {
  const { altGraph = false, ...rest } = more
  return {
    key,
    code: '',
    ctrlKey: false,
    metaKey: false,
    altKey: false,
    shiftKey: false,
    getModifierState: name => name === 'AltGraph' && altGraph,
    ...rest
  }
}
const pressed = (chord: string, event: Pressed, isMac = false) => isPressed(parseChord(chord), event, isMac)

describe('a chord', () => {
  test('is read into its modifiers and its key, also where that is a plus', () => {
    expect(parseChord('Mod+Shift+K')).toEqual({ mod: true, alt: false, shift: true, key: 'k' })
    expect(parseChord('Mod++')).toEqual({ mod: true, alt: false, shift: false, key: '+' })
    expect(parseChord('+')).toEqual({ mod: false, alt: false, shift: false, key: '+' })
    expect(parseChord('Escape').key).toBe('Escape')
    expect(() => parseChord('Ctrl+K')).toThrow('Ctrl is not a modifier')
  })

  test('is Ctrl here and Cmd on a Mac, and neither with the other', () => {
    expect(pressed('Mod+K', press('k', { ctrlKey: true }))).toBe(true)
    expect(pressed('Mod+K', press('k', { metaKey: true }))).toBe(false)
    expect(pressed('Mod+K', press('k', { metaKey: true }), true)).toBe(true)
    expect(pressed('Mod+K', press('k', { ctrlKey: true }), true)).toBe(false)
    expect(pressed('Mod+K', press('K', { ctrlKey: true, shiftKey: true }))).toBe(false)
    expect(pressed('e', press('e', { altKey: true }))).toBe(false)
  })

  test('of a sign is one however the keyboard makes it', () => {
    expect(pressed('?', press('?', { shiftKey: true }))).toBe(true)
    expect(pressed('/', press('/', { shiftKey: true }))).toBe(true)
    expect(pressed('[', press('[', { ctrlKey: true, altKey: true, altGraph: true }))).toBe(true)
    expect(pressed('Mod++', press('+', { ctrlKey: true, shiftKey: true }))).toBe(true)
  })

  test('of Alt and a digit goes by the place of the key: on a Mac it writes something else', () => {
    expect(pressed('Alt+3', press('£', { altKey: true, code: 'Digit3' }), true)).toBe(true)
    expect(pressed('Alt+3', press('£', { altKey: true, code: 'Digit4' }), true)).toBe(false)
  })

  test('is written as the platform writes it', () => {
    expect([chordLabel('Mod+K', false), chordLabel('Mod+K', true)]).toEqual(['Ctrl+K', '⌘K'])
    expect([chordLabel('Alt+ArrowLeft', false), chordLabel('Mod+Shift+Enter', true)]).toEqual(['Alt+←', '⇧⌘Enter'])
    expect([chordLabel('Mod++', false), chordLabel('Shift', false), chordLabel(' ', false)]).toEqual(['Ctrl++', 'Shift', 'Space'])
  })
})
