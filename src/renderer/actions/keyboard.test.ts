import { describe, expect, test } from 'vitest'
import { type Pressed, parseChord } from './chord.ts'
import { actionOf, bindings, clashes } from './keyboard.ts'
import { widgetKeys } from './widget-keys.ts'

const press = (key: string, more: Partial<Pressed> = {}): Pressed => ({
  key,
  code: '',
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  getModifierState: () => false,
  ...more
})
const all = bindings(false)

describe('the keys of actions', () => {
  test.each([true, false])('are no two actions’ at the same place (Mac: %s)', onMac => {
    expect(clashes(bindings(onMac))).toEqual([])
  })

  test('clash where two actions have one chord in one view, and not in two', () => {
    const chord = parseChord('x')
    const [everywhere, inRuns, inCompare] = [undefined, ['runs'] as const, ['compare'] as const]
    const of = (id: 'go.back' | 'go.forward', views: typeof inRuns | typeof inCompare | undefined) => ({
      id,
      chord,
      views,
      textFirst: false
    })
    expect(clashes([of('go.back', everywhere), of('go.forward', inRuns)])).toEqual([['go.back', 'go.forward']])
    expect(clashes([of('go.back', inRuns), of('go.forward', inRuns)])).toEqual([['go.back', 'go.forward']])
    expect(clashes([of('go.back', inCompare), of('go.forward', inRuns)])).toEqual([])
  })

  test('leave those that browsers keep for themselves', () => {
    const kept = ['Mod+N', 'Mod+T', 'Mod+W', 'Mod+Shift+N', 'Mod+Shift+T', 'Mod+Shift+W', 'Mod+Q'].map(text =>
      JSON.stringify(parseChord(text))
    )
    expect([...all, ...bindings(true)].filter(({ chord }) => kept.includes(JSON.stringify(chord)))).toEqual([])
  })

  test('are chords that can be read, those of widgets too', () => {
    expect(all.length).toBeGreaterThan(20)
    for (const { keys } of widgetKeys)
      for (const { chords } of keys) for (const chord of chords) expect(() => parseChord(chord)).not.toThrow()
  })
})

describe('a key press', () => {
  test('is an action of the view that it is pressed in', () => {
    expect(actionOf(press(']'), 'feature', 'free', all, false)).toBe('feature.next')
    expect(actionOf(press(']'), 'runs', 'free', all, false)).toBeNull()
    expect(actionOf(press('Escape'), 'features', 'free', all, false)).toBe('features.let-go')
    expect(actionOf(press('Escape'), 'compare', 'free', all, false)).toBe('token.let-go')
    expect(actionOf(press('Escape'), 'library', 'free', all, false)).toBeNull()
  })

  test('writes into a text field, unless it has Ctrl or Alt', () => {
    expect(actionOf(press('?', { shiftKey: true }), 'compare', 'text', all, false)).toBeNull()
    expect(actionOf(press('ArrowLeft'), 'compare', 'text', all, false)).toBeNull()
    expect(actionOf(press('k', { ctrlKey: true }), 'compare', 'text', all, false)).toBe('palette.open')
    expect(actionOf(press('1', { altKey: true, code: 'Digit1' }), 'compare', 'text', all, false)).toBe('go.compare')
  })

  test('undoes what was typed in a text field and the last removal elsewhere', () => {
    expect(actionOf(press('z', { ctrlKey: true }), 'runs', 'text', all, false)).toBeNull()
    expect(actionOf(press('z', { ctrlKey: true }), 'runs', 'free', all, false)).toBe('undo.last')
    expect(actionOf(press('z', { ctrlKey: true }), 'runs', 'widget', all, false)).toBe('undo.last')
  })

  test('does nothing behind a dialog', () => {
    expect(actionOf(press('k', { ctrlKey: true }), 'compare', 'dialog', all, false)).toBeNull()
  })
})
