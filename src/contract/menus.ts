/** The menus by what is in them: the app makes its own of this, and the window the one that a browser shows. */
import type { ActionId } from './actions.ts'

/** What the system does in its own way, in the app alone. */
export type MenuRole =
  | 'close'
  | 'quit'
  | 'undo'
  | 'redo'
  | 'cut'
  | 'copy'
  | 'paste'
  | 'selectAll'
  | 'reload'
  | 'toggleDevTools'
  | 'togglefullscreen'

export type MenuEntry =
  | ActionId
  | 'separator'
  | { readonly role: MenuRole }
  | { readonly label: string; readonly entries: readonly MenuEntry[] }

export interface Menu {
  readonly label: string
  readonly entries: readonly MenuEntry[]
}

export const menus: readonly Menu[] = [
  {
    label: 'File',
    entries: [
      'model.open',
      'sae.add',
      'separator',
      'explanations.import',
      'explanations.sync',
      'explanations.harvest',
      'separator',
      {
        label: 'Export the run',
        entries: [
          'export.html',
          'export.json',
          'separator',
          'export.tokens.csv',
          'export.top-k.csv',
          'export.features.csv',
          'export.summary.csv',
          'separator',
          'export.strips.png',
          'export.strips.svg',
          'export.log-prob.png',
          'export.log-prob.svg',
          'separator',
          'export.save-python-2',
          'export.save-python-3'
        ]
      },
      'export.copy-python-2',
      'export.copy-python-3',
      'separator',
      { role: 'close' },
      { role: 'quit' }
    ]
  },
  {
    label: 'Edit',
    entries: [
      { role: 'undo' },
      { role: 'redo' },
      'separator',
      { role: 'cut' },
      { role: 'copy' },
      { role: 'paste' },
      { role: 'selectAll' },
      'separator',
      'undo.last',
      'table.copy',
      'search.focus',
      'separator',
      'go.settings'
    ]
  },
  {
    label: 'View',
    entries: [
      'palette.open',
      'separator',
      'theme.system',
      'theme.light',
      'theme.dark',
      'separator',
      'scale.surprise',
      'scale.certainty',
      'separator',
      'zoom.in',
      'zoom.out',
      'zoom.reset',
      'separator',
      { role: 'togglefullscreen' },
      { role: 'reload' },
      { role: 'toggleDevTools' }
    ]
  },
  {
    label: 'Go',
    entries: [
      'go.back',
      'go.forward',
      'separator',
      'go.compare',
      'go.features',
      'go.attribution',
      'go.patching',
      'go.explanations',
      'go.test-prompt',
      'go.generate',
      'go.hooks',
      'go.lens',
      'go.runs',
      'go.library',
      'separator',
      'go.sources',
      'go.lists'
    ]
  },
  {
    label: 'Run',
    entries: [
      'run.start',
      'run.cancel',
      'prompt.focus',
      'model.unload',
      'separator',
      'prompt.text',
      'prompt.chat',
      'prompt.ids',
      'separator',
      'token.next',
      'token.previous',
      'token.pin',
      'token.clear-pins',
      'variants.next-baseline',
      'separator',
      'feature.ablate',
      'feature.edit',
      'edits.remove-last',
      'edits.clear',
      'separator',
      'sae.evaluate',
      'sae.check'
    ]
  },
  { label: 'Help', entries: ['shortcuts.show', 'tour.show', 'separator', 'diagnostics.show', 'about.show'] }
]

/** The actions of menus, those of their submenus included, in order. */
export function actionsOf(entries: readonly MenuEntry[]): ActionId[] {
  return entries.flatMap(entry => {
    if (typeof entry === 'string') return entry === 'separator' ? [] : [entry]
    return 'entries' in entry ? actionsOf(entry.entries) : []
  })
}
