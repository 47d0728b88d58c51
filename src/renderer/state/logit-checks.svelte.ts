/** Sources whose mirrored logits were held to those of their SAEs, in this window. */
import type { ErrorData } from '../../contract/errors.ts'
import type { EffectsCheck, EffectsCheckRequest } from '../../contract/logit-effects.ts'
import { client, errorOf } from './connection.svelte.ts'
import { sourceOf, workspace } from './workspace.svelte.ts'

export type LogitCheckState =
  | { state: 'checking'; stage: string; fraction: number }
  | { state: 'done'; check: EffectsCheck }
  | { state: 'failed'; error: ErrorData }

class LogitChecks {
  #known = $state.raw<ReadonlyMap<string, LogitCheckState>>(new Map())
  readonly #aborts = new Map<string, AbortController>()

  /** What is known of a source (`modelId/layer`). */
  of(source: string): LogitCheckState | undefined {
    return this.#known.get(source)
  }

  #put(source: string, state: LogitCheckState | undefined): void {
    const known = new Map(this.#known)
    if (state === undefined) known.delete(source)
    else known.set(source, state)
    this.#known = known
  }

  /** The SAE of a source that is open, with its model; nothing where it is not, and what is known on this disk is taken. */
  #opened(source: string): Pick<EffectsCheckRequest, 'sae' | 'model'> {
    const open = workspace.saes.find(sae => sourceOf(sae) === source)
    if (open === undefined || workspace.model === null) return {}
    return { sae: { path: open.summary.path, ...(open.hook === undefined ? {} : { hook: open.hook }) }, model: workspace.model.path }
  }

  /** Whether the SAE of a source is open, so that a check needs no look at the disk. */
  isOpen(source: string): boolean {
    return this.#opened(source).sae !== undefined
  }

  /** Checks a sample of a source, the features named first. */
  async check(source: string, features: number[]): Promise<void> {
    this.cancel(source)
    const abort = new AbortController()
    this.#aborts.set(source, abort)
    this.#put(source, { state: 'checking', stage: '', fraction: 0 })
    try {
      for await (const event of await client.explanations.checkLogits(
        { source, features, ...this.#opened(source) },
        { signal: abort.signal }
      )) {
        if (abort.signal.aborted) return
        if (event.type === 'progress') this.#put(source, { state: 'checking', stage: event.stage, fraction: event.fraction })
        else this.#put(source, { state: 'done', check: event.check })
      }
    } catch (thrown) {
      if (!abort.signal.aborted) this.#put(source, { state: 'failed', error: errorOf(thrown) })
    } finally {
      if (this.#aborts.get(source) === abort) this.#aborts.delete(source)
    }
  }

  /** Checks once, unless it was done before. */
  checkOnce(source: string, features: number[]): void {
    if (!this.#known.has(source)) void this.check(source, features)
  }

  /** Stops a check that is under way. */
  cancel(source: string): void {
    const abort = this.#aborts.get(source)
    if (abort === undefined) return
    abort.abort()
    this.#aborts.delete(source)
    this.#put(source, undefined)
  }
}

export const logitChecks = new LogitChecks()
