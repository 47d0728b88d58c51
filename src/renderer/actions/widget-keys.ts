/**
 * Keys that belong to a widget while the focus is in it: the widget itself acts on them, and here they are described for the list of
 * shortcuts.
 */

/** `keys` are chords as in the contract. */
export interface WidgetKeys {
  readonly where: string
  readonly keys: readonly { readonly chords: readonly string[]; readonly does: string }[]
}

export const widgetKeys: readonly WidgetKeys[] = [
  {
    where: 'In the prompt',
    keys: [
      { chords: ['Enter'], does: 'Start' },
      { chords: ['Shift+Enter'], does: 'Break the line' },
      { chords: ['Alt+ArrowUp', 'Alt+ArrowDown'], does: 'Move a message of a chat' }
    ]
  },
  {
    where: 'In token strips and tables',
    keys: [
      { chords: ['ArrowLeft', 'ArrowRight'], does: 'Previous, next token in a strip' },
      { chords: ['ArrowUp', 'ArrowDown'], does: 'Another row' },
      { chords: ['Home', 'End'], does: 'First, last' },
      { chords: ['Enter'], does: 'Choose, or open' }
    ]
  },
  {
    where: 'On the line between two panels',
    keys: [
      { chords: ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'], does: 'Move it; with Shift farther' },
      { chords: ['Home'], does: 'To its own place' },
      { chords: ['Enter'], does: 'Fold the panel away' }
    ]
  },
  {
    where: 'On a variant in the order of variants',
    keys: [
      { chords: ['Alt+ArrowLeft', 'Alt+ArrowRight'], does: 'Move it' },
      { chords: ['Alt+Home', 'Alt+End'], does: 'Move it to the beginning, to the end' },
      { chords: ['Enter'], does: 'Make it the baseline' },
      { chords: ['Delete'], does: 'Remove a column of edits; it can be undone' }
    ]
  },
  {
    where: 'In heat maps',
    keys: [
      { chords: ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'], does: 'Move the cursor' },
      { chords: ['+', '-'], does: 'Zoom in, out at the cursor' },
      { chords: ['0'], does: 'Show all of it' },
      { chords: ['PageUp', 'PageDown'], does: 'Ten rows up, down' },
      { chords: ['Escape'], does: 'Back to the heads, or let go' }
    ]
  },
  {
    where: 'In the two prompts of Patching',
    keys: [
      { chords: ['Enter'], does: 'Take a token of the source; put it down at a token of the prompt' },
      { chords: ['Escape'], does: 'Let it go' }
    ]
  },
  {
    where: 'In the search for explanations',
    keys: [
      { chords: ['ArrowUp', 'ArrowDown'], does: 'Previous, next hit' },
      { chords: ['PageUp', 'PageDown'], does: 'A page of hits up, down' },
      { chords: ['Mod+Home', 'Mod+End'], does: 'First, last hit' },
      { chords: ['Enter'], does: 'Open the hit' },
      { chords: ['Escape'], does: 'Back to the words, then empty the box' }
    ]
  },
  {
    where: 'In the list of runs',
    keys: [
      { chords: ['ArrowUp', 'ArrowDown'], does: 'Previous, next run' },
      { chords: ['Enter'], does: 'Open it in Compare' },
      { chords: [' '], does: 'Pick it to be compared' },
      { chords: ['p'], does: 'Pin it, or let it go' },
      { chords: ['Delete'], does: 'Remove it; it can be undone' }
    ]
  },
  {
    where: 'In the tables of hooks and sources',
    keys: [
      { chords: ['ArrowUp', 'ArrowDown'], does: 'Previous, next row' },
      { chords: [' '], does: 'Pick a hook; choose a source' },
      { chords: ['Enter'], does: 'Into the picture of a hook; search in a source' },
      { chords: ['Delete'], does: 'Remove a source; it can be undone' }
    ]
  }
]
