/** What the shell itself does, whatever view is on screen. Views that know better say so (`registry.svelte.ts`). */
import type { ActionId } from '../../contract/actions.ts'
import { RunExport } from '../components/export-menu/run-export.svelte.ts'
import { client, errorOf } from '../state/connection.svelte.ts'
import { edits } from '../state/edits.svelte.ts'
import { evaluation } from '../state/evaluation.svelte.ts'
import { harvest } from '../state/harvest.svelte.ts'
import { explanationImport } from '../state/import.svelte.ts'
import { hashOf, navigation } from '../state/navigation.svelte.ts'
import { notices } from '../state/notices.svelte.ts'
import { formatBytes } from '../state/numbers.ts'
import { opening } from '../state/opening.svelte.ts'
import type { PromptMode } from '../state/prompt-draft.svelte.ts'
import { run } from '../state/run.svelte.ts'
import { saeCheck } from '../state/sae-check.svelte.ts'
import { selection } from '../state/selection.svelte.ts'
import { settings } from '../state/settings.svelte.ts'
import { shell } from '../state/shell.svelte.ts'
import { explanationSync } from '../state/sync.svelte.ts'
import { tour } from '../state/tour.svelte.ts'
import { variantOrder } from '../state/variant-order.svelte.ts'
import { inOrder } from '../state/variant-places.ts'
import { type OpenSae, workspace } from '../state/workspace.svelte.ts'
import { nextZoom } from '../state/zoom.ts'
import type { Action, Behaviour, Behaviours } from './registry.svelte.ts'

/** Views that have a prompt of their own to write. */
const promptViews = ['compare', 'features', 'attribution', 'patching', 'test-prompt', 'generate', 'hooks', 'lens']

const noModel = 'no model is open'
const noSae = 'no SAE is open'

/** Goes to a view with a prompt, where the present one has none. */
function toPrompt(): void {
  if (!promptViews.includes(navigation.route.view)) navigation.go(hashOf('compare'))
}

function focusPrompt(): void {
  shell.promptWanted = true
  toPrompt()
}

async function startRun(): Promise<void> {
  toPrompt()
  await run.start()
}

/** Going to the views that there are. */
function viewActions(views: readonly string[]): Behaviours {
  const go = (id: ActionId, view: string, act: () => void): [ActionId, Behaviour][] => (views.includes(view) ? [[id, { act }]] : [])
  const to =
    (view: string, parts: string[] = []) =>
    () =>
      navigation.go(hashOf(view, parts))
  return Object.fromEntries([
    ...go('go.compare', 'compare', () => navigation.go(hashOf('compare', [], { token: selection.token ?? undefined }))),
    ...go('go.features', 'features', to('features')),
    ...go('go.attribution', 'attribution', to('attribution')),
    ...go('go.patching', 'patching', to('patching')),
    ...go('go.explanations', 'explanations', to('explanations')),
    ...go('go.test-prompt', 'test-prompt', to('test-prompt')),
    ...go('go.generate', 'generate', to('generate')),
    ...go('go.hooks', 'hooks', to('hooks')),
    ...go('go.lens', 'lens', to('lens')),
    ...go('go.runs', 'runs', to('runs')),
    ...go('go.library', 'library', to('library')),
    ...go('go.settings', 'settings', to('settings')),
    ...go('go.sources', 'explanations', to('explanations', ['sources'])),
    ...go('go.lists', 'explanations', to('explanations', ['lists']))
  ])
}

function promptActions(): Behaviours {
  const write = (mode: PromptMode): Behaviour => ({
    act: () => {
      workspace.draft.changeMode(mode)
      focusPrompt()
    },
    checked: workspace.draft.mode === mode
  })
  const why = workspace.model === null ? noModel : workspace.draft.asked === null ? 'the prompt is none yet' : undefined
  return {
    'prompt.focus': { act: focusPrompt },
    'run.start': { act: startRun, why },
    'run.cancel': { act: () => run.cancel(), why: run.running ? undefined : 'nothing is running' },
    'model.unload': { act: () => void unload() },
    'prompt.text': write('text'),
    'prompt.chat': write('chat'),
    'prompt.ids': write('ids')
  }
}

async function unload(): Promise<void> {
  try {
    const { residentBytes } = await client.engine.unload()
    const now = residentBytes === null ? '' : `: ${formatBytes(residentBytes)} resident`
    notices.show({ level: 'info', key: 'unload', message: `Models and SAEs are closed${now}. The next run opens them again.` })
  } catch (thrown) {
    notices.show({ level: 'error', key: 'unload', message: 'The memory was not freed.', error: errorOf(thrown) })
  }
}

/** For the one SAE that is open; where there are several the palette asks which. */
function ofTheSae(act: (sae: OpenSae) => void, ask: string): Behaviour {
  const [first, ...others] = workspace.saes
  return {
    act: () => (first !== undefined && others.length === 0 ? act(first) : shell.openPalette(ask)),
    why: first === undefined ? noSae : undefined
  }
}

function saeActions(): Behaviours {
  return {
    'model.open': { act: () => opening.chooseFolder({ want: 'model' }) },
    'sae.add': { act: () => (shell.picker = 'add-sae'), why: workspace.model === null ? noModel : undefined },
    'sae.evaluate': ofTheSae(sae => evaluation.show(sae), 'Evaluate '),
    'sae.check': ofTheSae(({ name }) => saeCheck.start(name), 'Check where ')
  }
}

function editActions(): Behaviours {
  const ids = workspace.columns.map(({ id }) => id)
  const last = ids.at(-1)
  const why = last === undefined ? 'no feature is edited' : undefined
  return {
    'edits.remove-last': {
      act: () => last !== undefined && edits.remove([last]),
      ...(last === undefined ? { why } : { title: `Remove the column ${edits.nameOf(last)}` })
    },
    'edits.clear': { act: () => edits.remove(ids), why }
  }
}

function appearanceActions(): Behaviours {
  const themes = (['system', 'light', 'dark'] as const).map(
    name => [`theme.${name}`, { act: () => settings.change({ theme: name }), checked: settings.values.theme === name }] as const
  )
  const scales = (['surprise', 'certainty'] as const).map(
    name =>
      [`scale.${name}`, { act: () => settings.change({ logProbScale: name }), checked: settings.values.logProbScale === name }] as const
  )
  return { ...Object.fromEntries([...themes, ...scales]), ...(window.splice === undefined ? {} : zoomActions()) }
}

function zoomActions(): Behaviours {
  const { zoom } = settings.values
  const step = (by: 1 | -1): Behaviour => {
    const next = nextZoom(zoom, by)
    return { act: () => settings.change({ zoom: next }), why: next === zoom ? `it is ${Math.round(zoom * 100)}% already` : undefined }
  }
  return { 'zoom.in': step(1), 'zoom.out': step(-1), 'zoom.reset': { act: () => settings.change({ zoom: 1 }) } }
}

function generalActions(): Behaviours {
  const { undoable } = notices
  return {
    'palette.open': { act: () => shell.openPalette() },
    'search.focus': { act: () => navigation.go(hashOf('explanations')) },
    'table.copy': { act: () => undefined, why: 'there is no table here' },
    'undo.last': {
      act: () => undoable !== null && notices.act(undoable),
      ...(undoable === null ? { why: 'nothing was removed just now' } : { title: `Undo: ${undoable.message}` })
    },
    'shortcuts.show': { act: () => (shell.dialog = 'shortcuts') },
    'tour.show': { act: () => tour.start() },
    'about.show': { act: () => (shell.dialog = 'about') },
    'diagnostics.show': { act: () => (shell.dialog = 'diagnostics') },
    'go.back': { act: () => navigation.back(), why: navigation.canGoBack ? undefined : 'there is nothing before this' },
    'go.forward': { act: () => navigation.forward(), why: navigation.canGoForward ? undefined : 'there is nothing after this' },
    'explanations.import': { act: () => (explanationImport.open = true) },
    'explanations.sync': { act: () => explanationSync.show() },
    'explanations.harvest': { act: () => harvest.show() }
  }
}

const shownRun = new RunExport(() => run.exported())

/** All of it; `views` are those that the window has. */
export function shellActions(views: readonly string[]): Behaviours {
  return {
    ...generalActions(),
    ...viewActions(views),
    ...promptActions(),
    ...saeActions(),
    ...editActions(),
    ...appearanceActions(),
    ...shownRun.behaviours(run.result === null ? 'no run is shown' : undefined)
  }
}

/** Actions for each open SAE and each variant that is shown. */
export function namedActions(): Action[] {
  const group = 'Model and SAEs'
  const several = workspace.saes.length > 1
  const ofSaes = workspace.saes.flatMap((sae): Action[] => {
    const { name, withError } = sae
    const again = () => void run.start()
    const evaluate = {
      id: `sae.evaluate:${name}`,
      title: `Evaluate ${name} on a text file…`,
      group,
      act: () => evaluation.show(sae)
    } as const
    const check = { id: `sae.check:${name}`, title: `Check where ${name} fits…`, group, act: () => saeCheck.start(name) } as const
    return [
      ...(several ? [evaluate, check] : []),
      {
        id: `sae.error:${name}`,
        title: `Also run ${name} with its error term`,
        group,
        keywords: 'spliced+error variant',
        checked: withError,
        act: () => {
          workspace.changeSae(name, { withError: !withError })
          again()
        }
      },
      {
        id: `sae.close:${name}`,
        title: `Close the SAE ${name}`,
        group,
        keywords: 'remove',
        act: () => {
          workspace.removeSae(name)
          again()
        }
      }
    ]
  })
  const names = inOrder(run.result?.variants.map(({ name }) => name) ?? [], variantOrder.wanted)
  const ofVariants = names.map(
    (name, at): Action => ({
      id: `variant.baseline:${name}`,
      title: `Make ${name} the baseline`,
      group: 'Tokens and variants',
      keywords: 'order leftmost variant first',
      checked: at === 0,
      act: () => variantOrder.move(names, name, 0)
    })
  )
  return [...ofSaes, ...(names.length > 1 ? ofVariants : [])]
}
