/** Where the window is on the screen: kept when it rests, and brought back to where the present displays have room for it. */
import type { WindowPlace } from '../../contract/settings.ts'

/** In device-independent pixels. */
export interface Area {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export const usualSize = { width: 1440, height: 900 }
export const leastSize = { width: 1024, height: 640 }

function overlap(a: Area, b: Area): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y)
  return Math.max(0, width) * Math.max(0, height)
}

/**
 * The place of a window on the displays there are: as it was, moved and cut so that the work area that has most of it holds all of it.
 * One that is on none of them, since a display is gone, goes to the middle of the first.
 */
export function placeOn(workAreas: readonly Area[], last: Area): Area {
  const [first = { x: 0, y: 0, ...usualSize }, ...others] = workAreas
  const best = others.reduce((most, area) => (overlap(area, last) > overlap(most, last) ? area : most), first)
  const width = Math.min(Math.max(last.width, leastSize.width), Math.max(best.width, leastSize.width))
  const height = Math.min(Math.max(last.height, leastSize.height), Math.max(best.height, leastSize.height))
  const between = (at: number, start: number, room: number) => Math.round(Math.max(start, Math.min(at, start + room)))
  if (overlap(best, last) === 0) {
    const middle = (start: number, room: number) => between(start + room / 2, start, room)
    return { x: middle(best.x, best.width - width), y: middle(best.y, best.height - height), width, height }
  }
  return { x: between(last.x, best.x, best.width - width), y: between(last.y, best.y, best.height - height), width, height }
}

/** What is asked of a window; Electron's has more. */
export interface PlacedWindow {
  on(event: 'resize' | 'move' | 'maximize' | 'unmaximize' | 'close', hear: () => void): unknown
  getNormalBounds(): Area
  isMaximized(): boolean
  isVisible(): boolean
}

/** How long a window rests before its place is kept, in ms. */
const restMilliseconds = 500

/** Keeps a window's place whenever it rests, and when it closes. */
export class PlaceKeeper {
  readonly #window: PlacedWindow
  readonly #keep: (place: WindowPlace) => Promise<unknown>
  #timer: NodeJS.Timeout | undefined
  #keeping: Promise<unknown> = Promise.resolve()

  constructor(window: PlacedWindow, keep: (place: WindowPlace) => Promise<unknown>) {
    this.#window = window
    this.#keep = keep
    const later = () => {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.#keepNow(), restMilliseconds)
    }
    for (const event of ['resize', 'move', 'maximize', 'unmaximize'] as const) window.on(event, later)
    window.on('close', () => this.#keepNow())
  }

  #keepNow(): void {
    clearTimeout(this.#timer)
    // A window that is not shown yet is not where it will be.
    if (!this.#window.isVisible()) return
    const { x, y, width, height } = this.#window.getNormalBounds()
    // A place that is not kept is no reason to disturb anyone: the next start has the one before.
    this.#keeping = this.#keep({ x, y, width, height, maximized: this.#window.isMaximized() }).catch(() => undefined)
  }

  /** Settles when what was to be kept is. */
  async settled(): Promise<void> {
    await this.#keeping
  }
}
