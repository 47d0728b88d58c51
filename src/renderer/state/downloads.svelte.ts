/** The engine's downloads, followed from the first look at them; they go on when nobody looks. */
import type { Download, DownloadRequest, TokenState } from '../../contract/downloads.ts'
import type { ErrorData } from '../../contract/errors.ts'
import { client, connection, errorOf } from './connection.svelte.ts'
import { notices } from './notices.svelte.ts'

class Downloads {
  list = $state.raw<Download[]>([])
  /** Where the token for gated repositories comes from; null before it is known. */
  token = $state.raw<TokenState | null>(null)
  error = $state.raw<ErrorData | null>(null)
  /** Called when a download has ended well. */
  #done = new Set<(download: Download) => void>()
  #following = 0

  /** Those under way. */
  running = $derived(this.list.filter(({ state }) => state === 'preparing' || state === 'running'))
  /** Share of all bytes that are here, of those under way; null when nothing is. */
  fraction = $derived.by(() => {
    if (this.running.length === 0) return null
    const total = this.running.reduce((sum, download) => sum + download.totalBytes, 0)
    return total === 0 ? 0 : this.running.reduce((sum, download) => sum + download.doneBytes, 0) / total
  })

  /** Follows the list on the present connection; again on the next one. */
  async follow(): Promise<void> {
    const { opened } = connection
    if (this.#following === opened) return
    this.#following = opened
    try {
      for await (const list of await client.downloads.watch()) {
        const ended = list.filter(({ id, state }) => state === 'done' && this.list.some(old => old.id === id && old.state !== 'done'))
        this.list = list
        for (const download of ended) for (const tell of this.#done) tell(download)
      }
    } catch (thrown) {
      const error = errorOf(thrown)
      if (error.kind !== 'connection/lost') this.error = error
    }
  }

  /** Hears of downloads that ended well, until the function it gives is called. */
  whenDone(tell: (download: Download) => void): () => void {
    this.#done.add(tell)
    return () => this.#done.delete(tell)
  }

  /** Starts a download. Gives why it did not start, or null. */
  async start(request: DownloadRequest): Promise<ErrorData | null> {
    try {
      const started = await client.downloads.start(request)
      this.list = [started, ...this.list.filter(({ id }) => id !== started.id)]
      return null
    } catch (thrown) {
      return errorOf(thrown)
    }
  }

  async #do(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (thrown) {
      notices.show({ level: 'error', key: 'download', message: `The download was not ${what}.`, error: errorOf(thrown) })
    }
  }

  /** Stops a download; what it has brought stays. */
  cancel(id: string): Promise<void> {
    return this.#do('cancelled', () => client.downloads.cancel({ id }))
  }

  /** Goes on with one that failed or was cancelled. */
  again(id: string): Promise<void> {
    return this.#do('started again', () => client.downloads.again({ id }))
  }

  /** Takes one from the list. */
  dismiss(id: string): Promise<void> {
    return this.#do('taken from the list', () => client.downloads.dismiss({ id }))
  }

  /** Asks where the token comes from. */
  async loadToken(): Promise<void> {
    try {
      this.token = await client.downloads.token()
    } catch (thrown) {
      this.error = errorOf(thrown)
    }
  }

  /** Keeps a token, or with null forgets it. Gives why it was not kept, or null. */
  async keepToken(token: string | null): Promise<ErrorData | null> {
    try {
      this.token = await client.downloads.keepToken({ token })
      return null
    } catch (thrown) {
      return errorOf(thrown)
    }
  }

  /** Whether a download of the same thing is under way. */
  find(request: DownloadRequest): Download | undefined {
    const key = JSON.stringify(request)
    return this.running.find(download => JSON.stringify(download.request) === key)
  }
}

export const downloads = new Downloads()
