/** Events pushed by a callback, read as an async iteration. What is pushed after `close` is dropped. */
export class EventQueue<Event> implements AsyncIterable<Event> {
  readonly #waiting: Event[] = []
  #wake: (() => void) | null = null
  #closed = false

  push(event: Event): void {
    if (this.#closed) return
    this.#waiting.push(event)
    this.#wake?.()
  }

  close(): void {
    this.#closed = true
    this.#wake?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void> {
    for (;;) {
      const next = this.#waiting.shift()
      if (next !== undefined) yield next
      else if (this.#closed) return
      else {
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
        this.#wake = null
      }
    }
  }
}
