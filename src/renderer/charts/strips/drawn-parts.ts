/** What pictures of token strips are made of: boxes of tokens, the mark of a variant, a scale with its numbers. */
import { isNamed, tokenPieces } from '../../components/token-pieces.ts'
import { theme } from '../../state/theme.svelte.ts'
import type { Surface } from '../heatmap/surface.ts'
import type { Fill } from '../scales.ts'

export const fontSize = 13
/** Pixels from one line of boxes to the next. */
export const rowHeight = 26
/** Pixels that the mark of a variant and the gap after it take. */
export const markWidth = 15

/** A token's text with spaces and line ends made visible. */
export function drawnText(text: string): string {
  return tokenPieces(text)
    .map(piece => piece.text)
    .join('')
}

/** A box with a token's text in its middle; `shade` null leaves it unfilled. */
export function drawTokenBox(
  surface: Surface,
  token: { text: string; special: boolean },
  shade: Fill | null,
  { x, y, width }: { x: number; y: number; width: number }
): void {
  const named = isNamed(token)
  if (shade !== null) surface.rect(x, y + 1, width, rowHeight - 3, shade.background)
  surface.outline(x + 0.5, y + 1.5, width - 1, rowHeight - 4, theme.color('--line'), 1)
  surface.text(x + width / 2, y + rowHeight / 2, named ? token.text : drawnText(token.text), {
    color: shade?.color ?? theme.color('--text-muted'),
    size: named ? fontSize * 0.82 : fontSize,
    mono: true,
    align: 'center'
  })
}

/** The short line in a variant's colour, dashed with its error term. */
export function drawVariantMark(surface: Surface, x: number, middle: number, color: string, dashed: boolean): void {
  for (const piece of dashed ? [0, 6] : [0]) surface.rect(x + piece, middle - 1.5, dashed ? 4 : 10, 3, color)
}

const steps = 48

/** A scale of colours with its name before it and its numbers below. */
export function drawRamp(
  surface: Surface,
  { x, top, title }: { x: number; top: number; title: string },
  fill: (share: number) => Fill,
  ticks: readonly string[]
): void {
  surface.text(x, top + 6, title, { color: theme.color('--text-muted'), size: 12 })
  const from = x + 130
  for (let step = 0; step < steps; step++) surface.rect(from + step * 4, top, 4.2, 10, fill(step / (steps - 1)).background)
  surface.outline(from, top, steps * 4, 10, theme.color('--line'), 1)
  for (const [at, tick] of ticks.entries()) {
    const align = at === 0 ? 'left' : at === ticks.length - 1 ? 'right' : 'center'
    surface.text(from + (at / (ticks.length - 1)) * steps * 4, top + 20, tick, {
      color: theme.color('--text-muted'),
      size: 12,
      mono: true,
      align
    })
  }
}
