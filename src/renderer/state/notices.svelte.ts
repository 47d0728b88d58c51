/** Toasts: what a person should know that no request of theirs answers. */
import type { ErrorData } from '../../contract/errors.ts'

/** `key` replaces an older toast with the same key; `sticky` ones stay until dismissed or replaced; `action` is what can be done about it. */
export type Toast = {
  id: number
  level: 'info' | 'warning' | 'error'
  message: string
  error?: ErrorData | undefined
  key?: string | undefined
  sticky: boolean
  /** One thing that can be done about it, such as Undo. */
  action?: { label: string; act: () => void } | undefined
}

const longestStay = 6000
/** With something to be done, in ms. */
const longestStayWithAction = 15_000

class Notices {
  list = $state.raw<Toast[]>([])
  /** The newest notice of something that can be undone, or null. */
  undoable = $derived(this.list.findLast(toast => toast.action?.label === 'Undo') ?? null)
  #last = 0

  /** Shows a toast and returns its id. Errors stay until dismissed; the rest leave after some seconds. */
  show(toast: {
    level: Toast['level']
    message: string
    error?: ErrorData
    key?: string
    sticky?: boolean
    action?: Toast['action']
  }): number {
    this.#last += 1
    const id = this.#last
    const sticky = toast.sticky ?? toast.level === 'error'
    const others = toast.key === undefined ? this.list : this.list.filter(other => other.key !== toast.key)
    this.list = [...others, { ...toast, id, sticky }].slice(-5)
    if (!sticky) setTimeout(() => this.dismiss(id), toast.action === undefined ? longestStay : longestStayWithAction)
    return id
  }

  /** Takes a toast away; an id that is gone is fine. */
  dismiss(id: number): void {
    this.list = this.list.filter(toast => toast.id !== id)
  }

  /** Does what a toast offers, and takes it away. */
  act({ id, action }: Toast): void {
    this.dismiss(id)
    action?.act()
  }

  /** Takes away the toasts with this key. */
  dismissKey(key: string): void {
    this.list = this.list.filter(toast => toast.key !== key)
  }
}

export const notices = new Notices()
