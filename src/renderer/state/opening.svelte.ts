/** Opening whatever a person picks, types, pastes or drops: a model, an SAE or explanations, judged by content. */
import type { PathKind } from '../../contract/library.ts'
import { client, errorOf } from './connection.svelte.ts'
import { notices } from './notices.svelte.ts'
import { run } from './run.svelte.ts'
import { workspace } from './workspace.svelte.ts'

/** What the folder dialog is for; `note` explains why it opened. */
export type FolderPurpose = { want: 'model' | 'sae' | 'any'; start?: string; note?: string }

const openable = ['model', 'sae', 'explanations'] satisfies PathKind[]

class Opening {
  /** The folder dialog's purpose while it is open, else null. */
  dialog = $state.raw<FolderPurpose | null>(null)

  /** Lets the person choose a folder: the native dialog in the app, ours in a browser. */
  async chooseFolder(purpose: FolderPurpose): Promise<void> {
    if (window.splice === undefined) {
      this.dialog = purpose
      return
    }
    const path = await window.splice.chooseFolder()
    if (path !== null) await this.openPath(path)
  }

  /** Opens a path as what it holds. False when nothing was opened; the reason stands in a notice or by its picker. */
  async openPath(path: string): Promise<boolean> {
    let kind: PathKind
    try {
      kind = (await client.library.identify({ path })).kind
    } catch (thrown) {
      notices.show({ level: 'error', key: 'open', message: `${path} was not opened.`, error: errorOf(thrown) })
      return false
    }
    if (kind === 'sae') return this.openSae(path)
    if (kind === 'explanations') return this.importFile(path)
    if (kind === 'folder' && window.splice === undefined) {
      this.dialog = { want: 'any', start: path, note: 'This folder holds no model or SAE itself. Choose one inside it.' }
      return false
    }
    return this.openModel(path)
  }

  /** Opens a model and runs the prompt on it; the error stands in a notice when it does not open. */
  async openModel(path: string): Promise<boolean> {
    const opened = await workspace.openModel(path)
    if (opened) {
      run.clear()
      void run.start()
    } else if (workspace.modelError !== null) {
      notices.show({
        level: 'error',
        key: 'open',
        message: 'The model was not opened; the one before is still there.',
        error: workspace.modelError
      })
    }
    return opened
  }

  /** Opens an SAE and runs with it; the error stands in a notice when it does not open. */
  async openSae(path: string, hook?: string): Promise<boolean> {
    const opened = await workspace.addSae(path, hook)
    if (opened) void run.start()
    else if (workspace.saeError !== null) {
      notices.show({ level: 'error', key: 'open', message: 'The SAE was not opened.', error: workspace.saeError })
    }
    return opened
  }

  /** Imports a file of explanations into the mirror, with its progress as a notice. */
  async importFile(path: string): Promise<boolean> {
    try {
      for await (const event of await client.explanations.importFiles({ paths: [path] })) {
        if (event.type === 'progress') {
          const percent = Math.round(event.fraction * 100)
          notices.show({ level: 'info', key: 'import', sticky: true, message: `Importing explanations: ${percent}%, ${event.rows} rows.` })
        } else {
          const { imported, skipped, rejected } = event.result
          const message = `Imported ${imported} explanations; ${skipped} were there already, ${rejected} were rejected.`
          notices.show({ level: rejected > 0 ? 'warning' : 'info', key: 'import', message })
        }
      }
      return true
    } catch (thrown) {
      notices.show({ level: 'error', key: 'import', message: 'The explanations were not imported.', error: errorOf(thrown) })
      return false
    }
  }

  /** Whether a kind can be opened at all. */
  canOpen(kind: PathKind): boolean {
    return openable.some(known => known === kind)
  }
}

export const opening = new Opening()
