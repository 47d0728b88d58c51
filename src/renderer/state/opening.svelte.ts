/** Opening whatever a person picks, types, pastes or drops: a model, an SAE or explanations, judged by content. */
import type { ErrorData } from '../../contract/errors.ts'
import type { PathKind } from '../../contract/library.ts'
import { type OpeningRequest, openingRequest } from '../../contract/opening.ts'
import { client, errorOf } from './connection.svelte.ts'
import { explanationImport } from './import.svelte.ts'
import { navigation } from './navigation.svelte.ts'
import { notices } from './notices.svelte.ts'
import { run } from './run.svelte.ts'
import { workspace } from './workspace.svelte.ts'

/**
 * What the folder dialog is for (`folder`: any folder itself, to put something into it; `file`: any file); `title` and `note` say so and why it opened. `choose` takes the path chosen; without it the path is
 * opened as what it holds. `closed` hears of the dialog's end without a choice.
 */
export type FolderPurpose = {
  want: 'model' | 'sae' | 'any' | 'folder' | 'file'
  start?: string
  title?: string
  note?: string
  choose?: (path: string) => void
  closed?: () => void
}

const openable = ['model', 'sae', 'explanations'] satisfies PathKind[]

class Opening {
  /** The folder dialog's purpose while it is open, else null. */
  dialog = $state.raw<FolderPurpose | null>(null)

  /** Lets the person choose a folder, or a file where one is wanted: the native dialog in the app, ours in a browser. */
  async chooseFolder(purpose: FolderPurpose): Promise<void> {
    if (window.splice === undefined) {
      this.dialog = purpose
      return
    }
    const path = await (purpose.want === 'file' ? window.splice.chooseFile() : window.splice.chooseFolder())
    if (path === null) purpose.closed?.()
    else if (purpose.choose !== undefined) purpose.choose(path)
    else await this.openPath(path, purpose.want)
  }

  /**
   * Opens a path as what it holds and runs the prompt with it. What holds nothing known is taken for what was wanted, so that
   * the error names the file that is missing. Returns why it did not open, or null; `opening` says so while it lasts.
   */
  async tryOpen(path: string, want: FolderPurpose['want'], hook?: string): Promise<ErrorData | null> {
    let kind: PathKind
    try {
      kind = (await client.library.identify({ path })).kind
    } catch (thrown) {
      return errorOf(thrown)
    }
    if (kind === 'explanations') {
      explanationImport.open = true
      void explanationImport.start([path])
      return null
    }
    if (kind === 'sae' || (kind !== 'model' && want === 'sae')) {
      const opened = await workspace.addSae(path, hook)
      if (opened) void run.start()
      return opened ? null : workspace.saeError
    }
    if (kind === 'folder' && want === 'any' && window.splice === undefined) {
      this.dialog = { want: 'any', start: path, note: 'This folder holds no model or SAE itself. Choose one inside it.' }
      return null
    }
    const opened = await workspace.openModel(path)
    if (opened) {
      run.clear()
      void run.start()
    }
    return opened ? null : workspace.modelError
  }

  /** As `tryOpen`, for where no picker is open to show the error: it stands in a notice. */
  async openPath(path: string, want: FolderPurpose['want']): Promise<void> {
    const error = await this.tryOpen(path, want)
    if (error !== null) this.#showError(path, error)
  }

  /**
   * Opens what was dropped: files and folders of explanations as one import, with its dialog, everything else one after the other.
   * While the import dialog is open all of it is for the import.
   */
  async openDropped(paths: readonly string[]): Promise<void> {
    const explanations: string[] = []
    for (const path of paths) {
      if (explanationImport.open || (await this.#kindOf(path)) === 'explanations') explanations.push(path)
      else await this.openPath(path, 'any')
    }
    if (explanations.length === 0) return
    explanationImport.open = true
    await explanationImport.start(explanations)
  }

  /** Opens what the app was asked from outside to open. What a link names is opened and nothing is run. */
  async openAsked(asked: unknown): Promise<void> {
    for (const request of openingRequest.array().parse(asked)) {
      if (request.kind === 'files') await this.openDropped(request.paths)
      else if (request.kind === 'address') navigation.go(request.hash)
      else if (request.kind === 'link') await this.#openLinked(request)
      else {
        const { message, hint } = request
        notices.show({ level: 'error', key: 'open', message, error: { kind: 'opening/link', message, hint, mistake: true } })
      }
    }
  }

  async #openLinked({ model, saes }: OpeningRequest & { kind: 'link' }): Promise<void> {
    if (model !== undefined) {
      if (await workspace.openModel(model)) run.clear()
      else if (workspace.modelError !== null) this.#showError(model, workspace.modelError)
      if (workspace.modelError !== null) return
    }
    for (const sae of saes) {
      const opened = await workspace.addSae(sae)
      if (!opened && workspace.saeError !== null) this.#showError(sae, workspace.saeError)
    }
  }

  #showError(path: string, error: ErrorData): void {
    notices.show({ level: 'error', key: 'open', message: `${path} was not opened.`, error })
  }

  /** What a path holds; null where it cannot be looked at, which opening it says better. */
  async #kindOf(path: string): Promise<PathKind | null> {
    try {
      return (await client.library.identify({ path })).kind
    } catch {
      return null
    }
  }

  /** Whether a kind can be opened at all. */
  canOpen(kind: PathKind): boolean {
    return openable.some(known => known === kind)
  }
}

export const opening = new Opening()
