/** The run that is shown and the one under way: start, progress, cancel, error. A new run cancels the one before it. */
import { tick } from 'svelte'
import type { ErrorData } from '../../contract/errors.ts'
import type { KeptRun, OpenedRun } from '../../contract/history.ts'
import { type RunRequest, type RunResult, runRequest } from '../../contract/run.ts'
import type { ExportedRun } from '../../export/run-export.ts'
import { client, errorOf } from './connection.svelte.ts'
import { notices } from './notices.svelte.ts'
import type { PromptTask, TaskProgress } from './prompt-task.ts'
import { selection } from './selection.svelte.ts'
import { looksOf, type ShownVariant } from './shown-variants.ts'
import { workspace } from './workspace.svelte.ts'

/** Ends when the browser has painted the present state. */
function painted(): Promise<void> {
  return new Promise(resolve => requestAnimationFrame(() => resolve()))
}

class CurrentRun implements PromptTask {
  /** The result shown; it stays until the next one arrives. */
  result = $state.raw<RunResult | null>(null)
  /** What the result shown was asked for with. */
  request = $state.raw<RunRequest | null>(null)
  /** The result's id in the history; null where it is not kept. */
  keptAs = $state<string | null>(null)
  /** What the history says of the result shown, where it is from there and was not computed just now. */
  reopened = $state.raw<KeptRun | null>(null)
  /** The variants of the result shown, with their colours. */
  variants = $state.raw<ShownVariant[]>([])
  running = $state(false)
  progress = $state.raw<TaskProgress | null>(null)
  error = $state.raw<ErrorData | null>(null)
  cancelled = $state(false)
  /** Milliseconds from Enter to the numbers on screen, of the result shown. */
  shownMilliseconds = $state<number | null>(null)

  #abort: AbortController | null = null

  get hasResult(): boolean {
    return this.result !== null
  }

  /** The look of a variant of the result shown. */
  look(name: string): { color: string; dashed: boolean } {
    return this.variants.find(variant => variant.name === name) ?? { color: '--variant-clean', dashed: name.endsWith('+error') }
  }

  /**
   * Runs the workspace's prompt and shows the result; what was under way is cancelled first. `replaces` is the id of a kept run of which this
   * one is a better try, as when a slider moves on: it leaves the history.
   */
  async start({ replaces = null }: { replaces?: string | null } = {}): Promise<void> {
    const request = workspace.request()
    if (request === null) return
    this.#abort?.abort()
    const abort = new AbortController()
    this.#abort = abort
    const started = performance.now()
    performance.mark('splice:run-start')
    const variants = workspace.variants
    this.running = true
    this.error = null
    this.cancelled = false
    this.progress = null
    try {
      for await (const event of await client.runs.run(request, { signal: abort.signal })) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') {
          this.progress = { stage: event.stage, fraction: event.fraction }
          continue
        }
        performance.mark('splice:run-answered')
        selection.fit(event.result.tokens.length)
        this.variants = variants
        this.request = runRequest.parse(request)
        this.keptAs = event.keptAs
        this.reopened = null
        this.result = event.result
        workspace.shownRun = event.keptAs
        this.running = false
        if (replaces !== null && event.keptAs !== null) void this.#forget(replaces)
        await tick()
        await painted()
        // Another run may have begun meanwhile; its numbers are not these.
        if (abort.signal.aborted) return
        performance.mark('splice:run-shown')
        this.shownMilliseconds = performance.now() - started
      }
      void workspace.save()
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      if (this.#abort === abort) {
        this.running = false
        this.progress = null
        this.#abort = null
      }
    }
  }

  /** Takes a run from the history that another one has replaced. */
  async #forget(id: string): Promise<void> {
    try {
      await client.history.remove({ ids: [id] })
    } catch {
      // It stays in the list, where it can be removed by hand.
    }
  }

  /** Shows a run from the history, without its model. */
  show({ kept, request, result }: OpenedRun): void {
    this.cancel()
    this.cancelled = false
    this.error = null
    selection.fit(result.tokens.length)
    this.variants = looksOf(request)
    this.request = request
    this.keptAs = kept.id
    this.reopened = kept
    this.result = result
    this.shownMilliseconds = null
    workspace.shownRun = kept.id
  }

  /** Shows the run that was shown last, or runs the prompt where there is none, or it was of another model. */
  async resume(): Promise<void> {
    const id = workspace.shownRun
    if (id !== null) {
      try {
        const opened = await client.history.open({ id })
        if (opened.request.model === workspace.model?.path) {
          await workspace.adopt(opened.request, { keepsColumns: true })
          this.show(opened)
          return
        }
      } catch {
        // It was removed, or cannot be read: the list says so. The prompt is run again.
      }
    }
    await this.start()
  }

  /** Puts to the features of the run shown what the mirror knows of them now, as after an import. */
  async explain(): Promise<void> {
    const { result } = this
    if (result === null) return
    try {
      const saes = await Promise.all(
        result.saes.map(async sae => {
          if (sae.source === null) return sae
          const readings = Object.values(sae.byVariant)
          const indices = [...new Set(readings.flatMap(({ features }) => features.flat().map(({ index }) => index)))]
          const known = new Map(
            (await client.explanations.explain({ source: sae.source, indices })).map(({ density: _, ...feature }) => [
              feature.index,
              feature
            ])
          )
          const byVariant = Object.entries(sae.byVariant).map(([name, reading]) => {
            const features = reading.features.map(list =>
              list.map(feature => ({ ...feature, maxActivation: null, explanations: [], ...known.get(feature.index) }))
            )
            return [name, { ...reading, features }] as const
          })
          return { ...sae, byVariant: Object.fromEntries(byVariant) }
        })
      )
      // Views take another result for another run, so the same knowledge changes nothing.
      if (this.result === result && JSON.stringify(saes) !== JSON.stringify(result.saes)) this.result = { ...result, saes }
    } catch (thrown) {
      const error = errorOf(thrown)
      if (error.kind === 'connection/lost') return
      notices.show({ level: 'warning', key: 'explain', message: "The run's features could not be explained anew.", error })
    }
  }

  /** The run shown, for files to be made of it, with what the history says of it where it is kept; null where none is shown. */
  async exported(): Promise<ExportedRun | null> {
    const { result, request, keptAs } = this
    if (result === null || request === null) return null
    if (keptAs === null) return { result, request, kept: null }
    try {
      return { result, request, kept: (await client.history.open({ id: keptAs })).kept }
    } catch {
      // It was removed, or never written: its numbers are here all the same.
      return { result, request, kept: null }
    }
  }

  /** Stops the run under way; the result shown before stays. */
  cancel(): void {
    if (this.#abort === null) return
    this.#abort.abort()
    this.#abort = null
    this.running = false
    this.progress = null
    this.cancelled = true
  }

  /** Forgets the result, as when another model is opened. */
  clear(): void {
    this.cancel()
    this.result = null
    this.request = null
    this.keptAs = null
    this.reopened = null
    workspace.shownRun = null
    this.error = null
    selection.fit(0)
  }
}

export const run = new CurrentRun()
