/**
 * The one selection: a token chosen anywhere is selected in every strip, chart and table. Positions count from 0;
 * the position after the last token (= number of tokens) is the `next` cell, the prediction of what follows the prompt.
 */
import { navigation } from './navigation.svelte.ts'

/** Browsers refuse addresses that change too often, as under a held arrow key; so the address follows when the selection rests. */
const restMilliseconds = 200

class Selection {
  #resting: ReturnType<typeof setTimeout> | undefined
  /** The selected position, or null. */
  token = $state<number | null>(null)
  /** The position under the pointer in a strip, chart or table, or null. */
  hovered = $state<number | null>(null)
  /** The pinned positions in the order of pinning: the inspector stays at the last one while the selection moves on. */
  pins = $state.raw<readonly number[]>([])
  /** How many tokens the shown run has; 0 without a run. */
  count = $state(0)

  /** The position pinned last, or null. */
  get pinned(): number | null {
    return this.pins.at(-1) ?? null
  }

  /** Where the inspector looks: the pinned position, else the selected one. */
  get inspected(): number | null {
    return this.pinned ?? this.token
  }

  /** Selects a position (clamped to the run, `next` cell included) or, with null, nothing. */
  select(position: number | null): void {
    const at = position === null || this.count === 0 ? null : Math.min(Math.max(position, 0), this.count)
    if (at === this.token) return
    this.token = at
    clearTimeout(this.#resting)
    this.#resting = setTimeout(() => {
      if (navigation.route.view === 'compare') navigation.setQuery({ token: this.token ?? undefined })
    }, restMilliseconds)
  }

  /** Moves the selection by a number of positions; with nothing selected it starts at the first token. */
  move(by: number): void {
    this.select(this.token === null ? 0 : this.token + by)
  }

  /** Pins a position, by default the selected one, or lets its pin go. */
  togglePin(position: number | null = this.token): void {
    if (position === null) return
    this.pins = this.pins.includes(position) ? this.pins.filter(pin => pin !== position) : [...this.pins, position]
  }

  /** Lets all pins go. */
  clearPins(): void {
    this.pins = []
  }

  /** Esc: lets the pins go first, the last one first, then the selection. */
  letGo(): void {
    if (this.pins.length > 0) this.pins = this.pins.slice(0, -1)
    else this.select(null)
  }

  /** Fits the selection to a new run of this many tokens; a position beyond its end goes away. */
  fit(count: number): void {
    this.count = count
    if (this.token !== null && this.token > count) this.token = null
    this.pins = this.pins.filter(pin => pin <= count)
    this.hovered = null
  }
}

export const selection = new Selection()
