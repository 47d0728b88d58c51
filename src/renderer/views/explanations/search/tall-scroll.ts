/**
 * Scrolling a list that is taller than a browser can draw: up to a height all is as it would be without this; beyond it, the bar spans the
 * list in proportion, while wheel, keys and touch still move by pixels.
 */

/** The tallest element that every browser draws right: Firefox stops a little above 17 million pixels. */
export const tallest = 15_000_000

/** A change of more viewports than this is a jump along the bar. */
const jumpViewports = 3

export class TallScroll {
  /** Of the list as it would be, and of what is seen of it; pixels. */
  #height = 0
  #viewport = 0
  /** Between a place in the list and the scroller's own. */
  #offset = 0
  #scrollTop = 0

  /** Takes new sizes; the place stays. Returns where the scroller has to be put. */
  resize(height: number, viewport: number): number {
    const { top } = this
    this.#height = height
    this.#viewport = viewport
    return this.goTo(top)
  }

  /** How tall the scrolled element is. */
  get elementHeight(): number {
    return Math.min(this.#height, tallest)
  }

  get #isTall(): boolean {
    return this.#height > tallest
  }

  get #furthest(): number {
    return Math.max(0, this.#height - this.#viewport)
  }

  get #furthestScroll(): number {
    return Math.max(0, this.elementHeight - this.#viewport)
  }

  /** The place in the list at the upper edge. */
  get top(): number {
    return Math.min(Math.max(0, this.#scrollTop + this.#offset), this.#furthest)
  }

  /** How far down the list's own coordinates are shifted against the element's. */
  get shift(): number {
    return this.top - this.#scrollTop
  }

  /** Goes to a place in the list. Returns where the scroller has to be put. */
  goTo(top: number): number {
    const place = Math.min(Math.max(0, top), this.#furthest)
    this.#scrollTop = this.#isTall ? (place / this.#furthest) * this.#furthestScroll : place
    this.#offset = place - this.#scrollTop
    return this.#scrollTop
  }

  /** Hears that the scroller moved. Returns where it has to be put instead, or null to leave it. */
  moved(scrollTop: number): number | null {
    const distance = Math.abs(scrollTop - this.#scrollTop)
    if (distance < 0.5) return null
    this.#scrollTop = scrollTop
    if (!this.#isTall) return null
    const isJump = distance > jumpViewports * this.#viewport
    if (isJump) {
      this.#offset = (scrollTop / this.#furthestScroll) * this.#furthest - scrollTop
      return null
    }
    // At an end of the bar that is no end of the list, or the other way round, the bar is put where it belongs.
    const { top } = this
    const isAtEdge = scrollTop <= 0 || scrollTop >= this.#furthestScroll - 0.5 || top <= 0 || top >= this.#furthest
    return isAtEdge && this.#offset !== 0 ? this.goTo(top) : null
  }
}
