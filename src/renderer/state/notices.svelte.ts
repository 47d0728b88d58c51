/** Toasts: what a person should know that no request of theirs answers. */
import type { ErrorData } from '../../contract/errors.ts'

/** Something that a toast offers to do, such as undoing what it tells. */
export type ToastAction = { label: string; act: () => void }

/** `key` replaces an older toast with the same key; `sticky` ones stay until dismissed or replaced. */
export type Toast = {
  id: number
  level: 'info' | 'warning' | 'error'
  message: string
  error?: ErrorData | undefined
  key?: string | undefined
  action?: ToastAction | undefined
  sticky: boolean
}

const longestStay = 6000
/** With something to do: long enough to read and reach it. */
const actionStay = 15_000

class Notices {
  list = $state.raw<Toast[]>([])
  #last = 0

  /** Shows a toast and returns its id. Errors stay until dismissed; the rest leave after some seconds. */
  show(toast: { level: Toast['level']; message: string; error?: ErrorData; key?: string; action?: ToastAction; sticky?: boolean }): number {
    this.#last += 1
    const id = this.#last
    const sticky = toast.sticky ?? toast.level === 'error'
    const others = toast.key === undefined ? this.list : this.list.filter(other => other.key !== toast.key)
    this.list = [...others, { ...toast, id, sticky }].slice(-5)
    if (!sticky) setTimeout(() => this.dismiss(id), toast.action === undefined ? longestStay : actionStay)
    return id
  }

  /** Takes a toast away; an id that is gone is fine. */
  dismiss(id: number): void {
    this.list = this.list.filter(toast => toast.id !== id)
  }

  /** Takes away the toasts with this key. */
  dismissKey(key: string): void {
    this.list = this.list.filter(toast => toast.key !== key)
  }
}

export const notices = new Notices()
