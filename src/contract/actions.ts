/**
 * Everything that can be done from anywhere: what it is called, its keys, where it can be done. The window does it; the palette, the list of
 * shortcuts and both menus (the app's own and the one in a browser) take their words from here.
 */
import { z } from 'zod'

/** Groups in the order in which they are listed. */
export const actionGroups = [
  'General',
  'Go',
  'Prompt and run',
  'Model and SAEs',
  'Tokens and variants',
  'Features and explanations',
  'Runs',
  'Export',
  'Appearance'
] as const
export type ActionGroup = (typeof actionGroups)[number]

/** Views whose keys are their own. */
export type ActionView = 'compare' | 'features' | 'feature' | 'runs'

/**
 * Chords are written `Mod+Shift+K`: `Mod` is Ctrl, and Cmd on a Mac; a key is named as `KeyboardEvent.key` names it. `Shift` alone is Shift
 * pressed and released by itself. Where there are several, the first is the one that is shown.
 */
export type Keys = readonly string[] | { readonly mac: readonly string[]; readonly other: readonly string[] }

export interface ActionWords {
  readonly title: string
  readonly group: ActionGroup
  /** What else people call it. */
  readonly keywords?: string
  readonly keys?: Keys
  /** The views in which alone it can be done; everywhere without. */
  readonly views?: readonly ActionView[]
  /** Whether its keys belong to a text field while one has the focus. */
  readonly textFirst?: boolean
  /** Whether the browser does it by itself, so that only the app offers it. */
  readonly appOnly?: boolean
}

const compare = ['compare'] as const

export const actionWords = {
  'palette.open': { title: 'Search and commands', group: 'General', keywords: 'palette find anything', keys: ['Mod+K'] },
  'search.focus': { title: 'Go to the search box', group: 'General', keywords: 'find filter', keys: ['/'] },
  'undo.last': { title: 'Undo the last removal', group: 'General', keywords: 'bring back restore', keys: ['Mod+Z'], textFirst: true },
  'table.copy': { title: 'Copy the table as TSV', group: 'General', keywords: 'clipboard data numbers', keys: ['c'] },
  'shortcuts.show': { title: 'Keyboard shortcuts', group: 'General', keywords: 'keys help list', keys: ['?'] },
  'tour.show': { title: 'Take the tour', group: 'General', keywords: 'help introduction first steps' },
  'diagnostics.show': { title: 'Diagnostics…', group: 'General', keywords: 'help report bug problem errors log share support' },
  'about.show': { title: 'About Splice', group: 'General', keywords: 'versions license licence home folder' },

  'go.back': { title: 'Back', group: 'Go', keywords: 'history previous', keys: { mac: ['Mod+['], other: ['Alt+ArrowLeft'] } },
  'go.forward': { title: 'Forward', group: 'Go', keywords: 'history next', keys: { mac: ['Mod+]'], other: ['Alt+ArrowRight'] } },
  'go.compare': { title: 'Compare', group: 'Go', keywords: 'go to view run strips', keys: ['Alt+1'] },
  'go.features': { title: 'Features', group: 'Go', keywords: 'go to view ranking heat map', keys: ['Alt+2'] },
  'go.attribution': { title: 'Attribution', group: 'Go', keywords: 'go to view ablate features effect causal' },
  'go.patching': { title: 'Patching', group: 'Go', keywords: 'go to view activation patching source base causal tracing heads' },
  'go.explanations': { title: 'Explanations', group: 'Go', keywords: 'go to view search mirror', keys: ['Alt+3'] },
  'go.test-prompt': { title: 'Test prompt', group: 'Go', keywords: 'go to view answers rank', keys: ['Alt+4'] },
  'go.generate': { title: 'Generate', group: 'Go', keywords: 'go to view continue sample', keys: ['Alt+5'] },
  'go.hooks': { title: 'Hooks', group: 'Go', keywords: 'go to view activations attention cache', keys: ['Alt+6'] },
  'go.lens': { title: 'Logit lens', group: 'Go', keywords: 'go to view layers unembedding heat map early predictions' },
  'go.runs': { title: 'Runs', group: 'Go', keywords: 'go to view history', keys: ['Alt+7'] },
  'go.library': { title: 'Library', group: 'Go', keywords: 'go to view disk published downloads', keys: ['Alt+8'] },
  'go.settings': {
    title: 'Settings',
    group: 'Go',
    keywords: 'go to view preferences options provider threads processing defaults predictions temperature folders cache downloads panels',
    keys: ['Mod+,']
  },
  'go.sources': { title: 'Sources of explanations', group: 'Go', keywords: 'go to view mirror backup compact' },
  'go.lists': { title: 'Lists and notes', group: 'Go', keywords: 'go to view notebook' },

  'prompt.focus': { title: 'Go to the prompt', group: 'Prompt and run', keywords: 'edit type focus', keys: ['e'] },
  'run.start': { title: 'Run the prompt', group: 'Prompt and run', keywords: 'start compute', keys: ['Mod+Enter'] },
  'run.cancel': { title: 'Cancel the run', group: 'Prompt and run', keywords: 'stop abort', keys: ['Mod+.'] },
  'model.unload': { title: 'Free the memory of models', group: 'Model and SAEs', keywords: 'unload close release sessions' },
  'prompt.text': { title: 'Write the prompt as text', group: 'Prompt and run', keywords: 'mode plain' },
  'prompt.chat': { title: 'Write the prompt as a chat', group: 'Prompt and run', keywords: 'mode template roles' },
  'prompt.ids': { title: 'Write the prompt as token ids', group: 'Prompt and run', keywords: 'mode numbers' },

  'model.open': { title: 'Open a model…', group: 'Model and SAEs', keywords: 'checkpoint folder load', keys: ['Mod+O'] },
  'sae.add': { title: 'Add an SAE…', group: 'Model and SAEs', keywords: 'open load transcoder autoencoder' },
  'sae.evaluate': { title: 'Evaluate an SAE on a text file…', group: 'Model and SAEs', keywords: 'l0 explained variance metrics' },
  'sae.check': { title: 'Check where an SAE fits…', group: 'Model and SAEs', keywords: 'wrong tensor hook alarm' },

  'token.next': { title: 'Next token', group: 'Tokens and variants', keywords: 'select right', keys: ['ArrowRight'], views: compare },
  'token.previous': { title: 'Previous token', group: 'Tokens and variants', keywords: 'select left', keys: ['ArrowLeft'], views: compare },
  'token.pin': {
    title: 'Pin the token, or let its pin go',
    group: 'Tokens and variants',
    keywords: 'keep',
    keys: ['Shift'],
    views: compare
  },
  'token.let-go': {
    title: 'Let go of the last pin, then of the selection',
    group: 'Tokens and variants',
    keywords: 'unpin deselect',
    keys: ['Escape'],
    views: compare
  },
  'token.clear-pins': { title: 'Let go of all pins', group: 'Tokens and variants', keywords: 'unpin clear', views: compare },
  'variants.next-baseline': {
    title: 'Make the next variant the baseline',
    group: 'Tokens and variants',
    keywords: 'order reorder rotate leftmost',
    keys: ['b'],
    views: compare
  },
  'compare.overview': { title: 'Show the overview', group: 'Tokens and variants', keywords: 'tab charts summary', views: compare },
  'compare.table': { title: 'Show the token table', group: 'Tokens and variants', keywords: 'tab rows', views: compare },
  'compare.pinned': { title: 'Show the pinned tokens', group: 'Tokens and variants', keywords: 'tab', views: compare },

  'feature.previous': {
    title: 'Previous feature of the source',
    group: 'Features and explanations',
    keywords: 'index',
    keys: ['['],
    views: ['feature']
  },
  'feature.next': {
    title: 'Next feature of the source',
    group: 'Features and explanations',
    keywords: 'index',
    keys: [']'],
    views: ['feature']
  },
  'feature.ablate': {
    title: 'Ablate the selected feature',
    group: 'Features and explanations',
    keywords: 'edit off zero column lever intervene',
    keys: ['x'],
    views: ['compare', 'features', 'feature']
  },
  'feature.edit': {
    title: 'Multiply, set or steer the selected feature…',
    group: 'Features and explanations',
    keywords: 'edit lever slider scale strength steering column intervene',
    keys: ['s'],
    views: ['compare', 'features', 'feature']
  },
  'edits.remove-last': {
    title: 'Remove the last column of edits',
    group: 'Features and explanations',
    keywords: 'ablation steering lever undo'
  },
  'edits.clear': { title: 'Remove all columns of edits', group: 'Features and explanations', keywords: 'ablation steering lever reset' },
  'features.let-go': {
    title: 'Let go of the followed feature, then of the token',
    group: 'Features and explanations',
    keywords: 'deselect',
    keys: ['Escape'],
    views: ['features']
  },
  'explanations.import': { title: 'Import explanations…', group: 'Features and explanations', keywords: 'files export neuronpedia json' },
  'explanations.sync': { title: 'Sync explanations…', group: 'Features and explanations', keywords: 'neuronpedia download bulk bucket' },
  'explanations.harvest': {
    title: 'Harvest features from text…',
    group: 'Features and explanations',
    keywords: 'own corpus density histogram maximum examples statistics'
  },

  'runs.new': { title: 'New run', group: 'Runs', keywords: 'prompt compare', keys: ['n'], views: ['runs'] },
  'runs.open': { title: 'Open the selected run in Compare', group: 'Runs', keywords: 'reopen show', views: ['runs'] },
  'runs.pin': { title: 'Pin the selected run, or let it go', group: 'Runs', keywords: 'star keep', views: ['runs'] },
  'runs.remove': { title: 'Remove the selected run', group: 'Runs', keywords: 'delete', views: ['runs'] },
  'runs.compare': { title: 'Compare the picked runs', group: 'Runs', keywords: 'diff', views: ['runs'] },

  'export.html': { title: 'Report, HTML', group: 'Export', keywords: 'export run save self-contained' },
  'export.json': { title: 'Whole run, JSON', group: 'Export', keywords: 'export save' },
  'export.tokens.csv': { title: 'Tokens, CSV', group: 'Export', keywords: 'export run save table' },
  'export.top-k.csv': { title: 'Top-k, CSV', group: 'Export', keywords: 'export run save table predictions' },
  'export.features.csv': { title: 'Features, CSV', group: 'Export', keywords: 'export run save table' },
  'export.summary.csv': { title: 'Summary, CSV', group: 'Export', keywords: 'export run save table' },
  'export.strips.png': { title: 'Token strips, PNG', group: 'Export', keywords: 'export run save picture image' },
  'export.strips.svg': { title: 'Token strips, SVG', group: 'Export', keywords: 'export run save picture image' },
  'export.log-prob.png': { title: 'Log-prob and KL chart, PNG', group: 'Export', keywords: 'export run save picture image' },
  'export.log-prob.svg': { title: 'Log-prob and KL chart, SVG', group: 'Export', keywords: 'export run save picture image' },
  'export.copy-python-2': { title: 'Copy as Python, TransformerLens 2', group: 'Export', keywords: 'script reproduce saelens export' },
  'export.copy-python-3': { title: 'Copy as Python, TransformerLens 3', group: 'Export', keywords: 'script reproduce saelens export' },
  'export.save-python-2': { title: 'Python script, TransformerLens 2', group: 'Export', keywords: 'save py reproduce saelens export' },
  'export.save-python-3': { title: 'Python script, TransformerLens 3', group: 'Export', keywords: 'save py reproduce saelens export' },

  'theme.system': { title: "Theme: the system's", group: 'Appearance', keywords: 'setting light dark auto' },
  'theme.light': { title: 'Theme: light', group: 'Appearance', keywords: 'setting day white' },
  'theme.dark': { title: 'Theme: dark', group: 'Appearance', keywords: 'setting night black' },
  'scale.surprise': { title: 'Full colour is a surprising token', group: 'Appearance', keywords: 'setting log-prob scale strips' },
  'scale.certainty': { title: 'Full colour is an expected token', group: 'Appearance', keywords: 'setting log-prob scale strips certain' },
  'zoom.in': { title: 'Zoom in', group: 'Appearance', keywords: 'larger size', keys: ['Mod++', 'Mod+='], appOnly: true },
  'zoom.out': { title: 'Zoom out', group: 'Appearance', keywords: 'smaller size', keys: ['Mod+-'], appOnly: true },
  'zoom.reset': { title: 'Actual size', group: 'Appearance', keywords: 'zoom 100%', keys: ['Mod+0'], appOnly: true }
} as const satisfies Record<string, ActionWords>

export type ActionId = keyof typeof actionWords

/** An id as it comes from another process. */
export const actionId = z.enum(Object.keys(actionWords) as [ActionId, ...ActionId[]])

/** What another process hears of actions: which cannot be done now, and which choices are in force. */
export const actionStates = z.object({ disabled: z.array(actionId), checked: z.array(actionId) })
export type ActionStates = z.infer<typeof actionStates>

/** An action's words, seen as what all of them have in common. */
export function wordsOf(id: ActionId): ActionWords {
  return actionWords[id]
}

/** An action's chords on a platform. */
export function chordsOf({ keys }: ActionWords, isMac: boolean): readonly string[] {
  if (keys === undefined) return []
  return 'mac' in keys ? (isMac ? keys.mac : keys.other) : keys
}
