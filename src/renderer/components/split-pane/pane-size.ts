/** Sizes of a pane beside a main part, in CSS pixels along the line that they share. */

/** `least` of the pane and `mainLeast` of what stands beside it; the pane goes first where there is not room for both. */
export interface PaneBounds {
  readonly least: number
  readonly mainLeast: number
}

/** A pane's own size: a share of the whole, from `least` to `most`. */
export interface OwnSize {
  readonly share: number
  readonly least: number
  readonly most: number
}

/** The largest that a pane may be in so much room. */
export function largestSize(extent: number, { least, mainLeast }: PaneBounds): number {
  return Math.max(least, Math.round(extent) - mainLeast)
}

/** A size brought within its bounds. */
export function boundedSize(size: number, extent: number, bounds: PaneBounds): number {
  return Math.min(Math.max(Math.round(size), bounds.least), largestSize(extent, bounds))
}

/** Where a dragged pane ends: folded away when it is drawn to less than half of its least size. */
export function draggedSize(size: number, extent: number, bounds: PaneBounds, mayCollapse: boolean): number | 'collapsed' {
  return mayCollapse && size < bounds.least / 2 ? 'collapsed' : boundedSize(size, extent, bounds)
}

/** The track of a CSS grid: the size chosen, within its bounds however the window changes, or the pane's own. */
export function paneTrack(size: number | null, own: OwnSize, { least, mainLeast }: PaneBounds): string {
  const largest = `max(${least}px, calc(100% - ${mainLeast}px))`
  return size === null
    ? `clamp(${Math.max(least, own.least)}px, ${own.share * 100}%, min(${own.most}px, ${largest}))`
    : `clamp(${least}px, ${size}px, ${largest})`
}

const step = 16
const largeStep = 64

/** By how much a key moves the line, towards the end of the axis; null for a key that does not. */
export function keyStep(key: string, isShifted: boolean, orientation: 'vertical' | 'horizontal'): number | null {
  const by = isShifted ? largeStep : step
  const [back, on] = orientation === 'vertical' ? ['ArrowLeft', 'ArrowRight'] : ['ArrowUp', 'ArrowDown']
  return key === back ? -by : key === on ? by : null
}
