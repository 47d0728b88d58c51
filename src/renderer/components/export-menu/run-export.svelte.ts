/** Making files of a run: which one is being made, what went wrong with it, and each of them as an action. */
import type { TransformerLens } from '../../../export/python/script.ts'
import { type ExportedRun, fileStem } from '../../../export/run-export.ts'
import type { Behaviours } from '../../actions/registry.svelte.ts'
import { errorOf } from '../../state/connection.svelte.ts'
import { notices } from '../../state/notices.svelte.ts'
import { copyText, downloadFile } from '../export.ts'
import { type RunFile, runFile, runFiles, scriptOf } from './run-files.ts'

export class RunExport {
  /** What is being made; null when nothing is. */
  making = $state<string | null>(null)
  readonly #run: () => Promise<ExportedRun | null>

  /** `run` gives the run when a file is asked for; null, having said why, where there is none. */
  constructor(run: () => Promise<ExportedRun | null>) {
    this.#run = run
  }

  async #make(what: string, work: (run: ExportedRun) => Promise<void>): Promise<void> {
    this.making = what
    try {
      const whole = await this.#run()
      if (whole !== null) await work(whole)
    } catch (thrown) {
      notices.show({ level: 'error', key: 'export', message: 'The file was not made.', error: errorOf(thrown) })
    } finally {
      this.making = null
    }
  }

  download(kind: RunFile): Promise<void> {
    return this.#make(kind, async whole => {
      const { name, content } = await runFile(whole, kind)
      downloadFile(name, content)
    })
  }

  copyScript(library: TransformerLens): Promise<void> {
    return this.#make(`copy-${library}`, async whole => copyText(await scriptOf(whole, library), 'The script'))
  }

  saveScript(library: TransformerLens): Promise<void> {
    return this.#make(`save-${library}`, async whole => {
      const script = new Blob([await scriptOf(whole, library)], { type: 'text/x-python;charset=utf-8' })
      downloadFile(`${fileStem(whole)}-tl${library}.py`, script)
    })
  }

  /** All of it as actions; `why` says that there is no run now. */
  behaviours(why?: string): Behaviours {
    const reason = why ?? (this.making === null ? undefined : 'a file is being made')
    const files = runFiles.map(kind => [`export.${kind}`, { act: () => this.download(kind), why: reason }] as const)
    return {
      ...Object.fromEntries(files),
      'export.copy-python-2': { act: () => this.copyScript(2), why: reason },
      'export.copy-python-3': { act: () => this.copyScript(3), why: reason },
      'export.save-python-2': { act: () => this.saveScript(2), why: reason },
      'export.save-python-3': { act: () => this.saveScript(3), why: reason }
    }
  }
}
