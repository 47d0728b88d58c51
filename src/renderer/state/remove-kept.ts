/** Takes what is kept with a run out of the history, with a way back in the notice that says so. */
import type { ErrorData } from '../../contract/errors.ts'
import { errorOf } from './connection.svelte.ts'
import { notices } from './notices.svelte.ts'

export interface Removal {
  /** Names the notice: a later one of its kind takes its place. */
  readonly key: string
  readonly message: string
  remove(): Promise<unknown>
  restore(): Promise<unknown>
  /** Follows either, with whether what is there again is to be shown. */
  changed(shows: boolean): Promise<void>
  failed(error: ErrorData): void
}

export async function removeKept(removal: Removal): Promise<void> {
  const { key, message, remove, restore, changed, failed } = removal
  const attempt = async (work: () => Promise<unknown>, shows: boolean): Promise<boolean> => {
    try {
      await work()
      await changed(shows)
      return true
    } catch (thrown) {
      failed(errorOf(thrown))
      return false
    }
  }
  if (!(await attempt(remove, false))) return
  notices.show({ level: 'info', key, message, action: { label: 'Undo', act: () => void attempt(restore, true) } })
}
