/** The run history as the Runs view shows it: what is listed, by which filter, what is picked, and what is done to runs. */
import type { ErrorData } from '../../contract/errors.ts'
import type { HistoryChange, HistorySummary, KeptRun, OpenedRun } from '../../contract/history.ts'
import { client, errorOf } from './connection.svelte.ts'
import { hashOf, navigation } from './navigation.svelte.ts'
import { notices } from './notices.svelte.ts'
import { run } from './run.svelte.ts'
import { workspace } from './workspace.svelte.ts'

export type HistoryChoice = { text: string; model: string; sae: string; tag: string; pinned: boolean }

const noChoice: HistoryChoice = { text: '', model: '', sae: '', tag: '', pinned: false }
const pageLength = 100

class RunHistory {
  choice = $state.raw<HistoryChoice>(noChoice)
  runs = $state.raw<KeptRun[]>([])
  total = $state(0)
  summary = $state.raw<HistorySummary | null>(null)
  error = $state.raw<ErrorData | null>(null)
  loading = $state(false)
  /** Those picked to be compared or removed together, in the order in which they were picked. */
  picked = $state.raw<readonly string[]>([])
  #nextKey: string | null = null
  #asked = 0

  /** Whether there are more than those listed. */
  hasMore = $derived(this.runs.length < this.total)
  /** Whether some runs are left out by the choice. */
  isFiltered = $derived(Object.values(this.choice).some(value => value !== '' && value !== false))

  #request() {
    const { text, model, sae, tag, pinned } = this.choice
    return {
      text,
      limit: pageLength,
      ...(model === '' ? {} : { model }),
      ...(sae === '' ? {} : { sae }),
      ...(tag === '' ? {} : { tag }),
      ...(pinned ? { pinned } : {})
    }
  }

  /** Lists anew, from the top; an answer that has been overtaken is dropped. */
  async load(): Promise<void> {
    this.#asked += 1
    const asked = this.#asked
    this.loading = true
    try {
      const [page, summary] = await Promise.all([client.history.list(this.#request()), client.history.summary()])
      if (asked !== this.#asked) return
      this.runs = page.runs
      this.total = page.total
      this.#nextKey = page.nextKey
      this.summary = summary
      this.error = null
    } catch (thrown) {
      if (asked === this.#asked) this.error = errorOf(thrown)
    } finally {
      if (asked === this.#asked) this.loading = false
    }
  }

  /** Lists the next page below those that are there. */
  async more(): Promise<void> {
    const after = this.#nextKey
    if (after === null || this.loading) return
    const asked = this.#asked
    this.loading = true
    try {
      const page = await client.history.list({ ...this.#request(), after })
      if (asked !== this.#asked) return
      this.runs = [...this.runs, ...page.runs]
      this.#nextKey = page.nextKey
    } catch (thrown) {
      this.error = errorOf(thrown)
    } finally {
      if (asked === this.#asked) this.loading = false
    }
  }

  /** Chooses what is listed. */
  choose(change: Partial<HistoryChoice>): Promise<void> {
    this.choice = { ...this.choice, ...change }
    return this.load()
  }

  /** Lists everything again. */
  chooseAll(): Promise<void> {
    return this.choose(noChoice)
  }

  /** Picks a run, or lets it go. */
  pick(id: string, on: boolean): void {
    this.picked = on ? [...this.picked.filter(other => other !== id), id] : this.picked.filter(other => other !== id)
  }

  /** Changes what is said of a run, here at once. Gives why it was not kept, or null. */
  async change(change: HistoryChange): Promise<ErrorData | null> {
    try {
      const changed = await client.history.change(change)
      this.runs = this.runs.map(one => (one.id === changed.id ? changed : one))
      if (run.reopened?.id === changed.id) run.reopened = changed
      // Pins change the order, tags the filters.
      if (change.pinned !== undefined || change.tags !== undefined) await this.load()
      return null
    } catch (thrown) {
      return errorOf(thrown)
    }
  }

  /** Takes runs from the list; a notice offers to undo it. */
  async remove(ids: readonly string[]): Promise<void> {
    try {
      const { removed } = await client.history.remove({ ids: [...ids] })
      this.picked = this.picked.filter(id => !ids.includes(id))
      notices.show({
        level: 'info',
        key: 'history-removed',
        message: removed === 1 ? 'A run was removed from the history.' : `${removed} runs were removed from the history.`,
        action: { label: 'Undo', act: () => void this.restore(ids) }
      })
    } catch (thrown) {
      notices.show({ level: 'error', key: 'history-removed', message: 'The runs were not removed.', error: errorOf(thrown) })
    }
    await this.load()
  }

  /** Brings removed runs back. */
  async restore(ids: readonly string[]): Promise<void> {
    try {
      await client.history.restore({ ids: [...ids] })
      notices.dismissKey('history-removed')
    } catch (thrown) {
      notices.show({ level: 'error', key: 'history-removed', message: 'The runs were not restored.', error: errorOf(thrown) })
    }
    await this.load()
  }

  /** Deletes runs for good. Gives why not, or null. */
  async clear(pinned: boolean): Promise<ErrorData | null> {
    try {
      await client.history.clear({ pinned })
      this.picked = []
      await this.load()
      return null
    } catch (thrown) {
      return errorOf(thrown)
    }
  }

  /** Shows a run in Compare, at once; its settings follow. */
  async reopen(id: string): Promise<void> {
    try {
      const opened = await this.open(id)
      run.show(opened)
      navigation.go(hashOf('compare'))
      const error = await workspace.adopt(opened.request)
      if (error !== null) {
        notices.show({
          level: 'warning',
          key: 'adopt',
          message: 'The run is shown as it was kept; its model did not open, so it cannot be run anew.',
          error
        })
      }
    } catch (thrown) {
      notices.show({ level: 'error', key: 'reopen', message: 'The run was not opened.', error: errorOf(thrown) })
    }
  }

  /** A run, whole. Throws what the engine throws. */
  open(id: string): Promise<OpenedRun> {
    return client.history.open({ id })
  }
}

export const runHistory = new RunHistory()
