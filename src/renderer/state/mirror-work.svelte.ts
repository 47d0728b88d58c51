/** Work on the mirror's file: checking, backing up, compacting, taking sources out. One piece at a time; sources go a moment after they were removed. */
import type { ErrorData } from '../../contract/errors.ts'
import type { BackupResult, CheckResult, CompactResult, MirrorProgress, MirrorState, RemoveResult } from '../../contract/mirror.ts'
import { client, errorOf } from './connection.svelte.ts'
import { notices } from './notices.svelte.ts'
import { formatBytes, formatCount } from './numbers.ts'

export type MirrorWorkKind = 'check' | 'backup' | 'compact' | 'remove'
type WorkEvent<Result> = ({ type: 'progress' } & MirrorProgress) | { type: 'result'; result: Result }

/** How long a removal can be undone before it begins, in ms. */
export const removalDelay = 15_000

class MirrorWork {
  /** The file's own facts; null before they are known. */
  state = $state.raw<MirrorState | null>(null)
  /** What is being done. */
  working = $state<MirrorWorkKind | null>(null)
  progress = $state.raw<MirrorProgress | null>(null)
  error = $state.raw<ErrorData | null>(null)
  checked = $state.raw<CheckResult | null>(null)
  backedUp = $state.raw<BackupResult | null>(null)
  compacted = $state.raw<CompactResult | null>(null)
  /** Sources that are removed in a moment, unless that is undone. */
  leaving = $state.raw<readonly string[]>([])

  #abort: AbortController | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  /** The notice that offers to undo. */
  #notice = 0
  #queue: Promise<void> = Promise.resolve()

  async load(): Promise<void> {
    try {
      this.state = await client.mirror.state()
    } catch (thrown) {
      this.error = errorOf(thrown)
    }
  }

  /** Does one piece of work after those before it; gives its result, or null where it was cancelled or failed. */
  async #do<Result>(
    kind: MirrorWorkKind,
    start: (signal: AbortSignal) => Promise<AsyncIterable<WorkEvent<Result>>>
  ): Promise<Result | null> {
    const before = this.#queue
    let release = () => {}
    this.#queue = new Promise(resolve => {
      release = resolve
    })
    await before
    const abort = new AbortController()
    this.#abort = abort
    this.working = kind
    this.progress = null
    this.error = null
    let result: Result | null = null
    try {
      for await (const event of await start(abort.signal)) {
        if (event.type === 'progress') this.progress = event
        else result = event.result
      }
    } catch (thrown) {
      if (!abort.signal.aborted) this.error = errorOf(thrown)
    } finally {
      this.working = null
      this.#abort = null
      release()
    }
    await this.load()
    return result
  }

  /** Reads the whole file and says what is wrong with it. */
  async check(): Promise<void> {
    this.checked = null
    this.checked = await this.#do('check', signal => client.mirror.check(undefined, { signal }))
  }

  /** Writes a copy of the mirror, also while it is in use. */
  async backUp(file: string): Promise<void> {
    this.backedUp = null
    this.backedUp = await this.#do('backup', signal => client.mirror.backup({ file }, { signal }))
  }

  /** Gives room that is free in the file back to the disk. */
  async compact(): Promise<void> {
    this.compacted = null
    this.compacted = await this.#do('compact', signal => client.mirror.compact(undefined, { signal }))
  }

  /** Stops what is under way. */
  cancel(): void {
    this.#abort?.abort()
  }

  /** Removes a source, a moment later: until then it can be undone. */
  remove(source: string): void {
    if (this.leaving.includes(source)) return
    this.leaving = [...this.leaving, source]
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.removeNow(), removalDelay)
    const what = this.leaving.length === 1 ? `${source} is` : `${this.leaving.length} sources are`
    this.#notice = notices.show({
      level: 'info',
      key: 'removal',
      message: `${what} removed from the mirror in ${removalDelay / 1000} seconds.`,
      action: { label: 'Undo', act: () => this.keep() }
    })
  }

  /** Takes removals back that have not begun: one, or all. */
  keep(source?: string): void {
    this.leaving = source === undefined ? [] : this.leaving.filter(name => name !== source)
    if (this.leaving.length > 0) return
    clearTimeout(this.#timer)
    notices.dismiss(this.#notice)
  }

  /** Removes at once what is to be removed. */
  async removeNow(): Promise<void> {
    clearTimeout(this.#timer)
    notices.dismiss(this.#notice)
    const sources = [...this.leaving]
    this.leaving = []
    if (sources.length > 0) this.#tellRemoved(await this.#remove(sources, 'everything'))
  }

  /** Takes the embeddings of a source out; its explanations stay. */
  async removeEmbeddings(source: string): Promise<void> {
    this.#tellRemoved(await this.#remove([source], 'embeddings'))
  }

  #remove(sources: string[], what: 'everything' | 'embeddings'): Promise<RemoveResult | null> {
    return this.#do('remove', signal => client.mirror.remove({ sources, what }, { signal }))
  }

  #tellRemoved(result: RemoveResult | null): void {
    if (result === null) return
    const { explanations, embeddings, freeBytes } = result
    const what = explanations > 0 ? `${formatCount(explanations)} explanations` : `${formatCount(embeddings)} embeddings`
    notices.show({
      level: 'info',
      key: 'removal',
      message: `${what} were removed; ${formatBytes(freeBytes)} within the mirror are free. Compacting gives them back to the disk.`
    })
  }
}

export const mirrorWork = new MirrorWork()
