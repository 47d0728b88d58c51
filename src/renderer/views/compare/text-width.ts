/** Widths of token boxes in pixels, measured on a canvas so that nothing has to be laid out first. */
import type { Token } from '../../../contract/run.ts'
import { isNamed, tokenPieces } from '../../components/token-pieces.ts'

const padding = 10
const narrowest = 20
const nextNarrowest = 44

/** A measure for one font family at the strips' size (pixels). */
export function boxMeasure(
  fontFamily: string,
  size: number
): { token: (token: Token) => number; next: (texts: readonly string[]) => number } {
  const context = document.createElement('canvas').getContext('2d')
  const known = new Map<string, number>()
  const width = (text: string, named: boolean) => {
    const key = `${named}${text}`
    const before = known.get(key)
    if (before !== undefined) return before
    if (context !== null) context.font = `${named ? size * 0.82 : size}px ${fontFamily}`
    const drawn = named
      ? text
      : tokenPieces(text)
          .map(piece => piece.text)
          .join('')
    const measured = context?.measureText(drawn).width ?? drawn.length * size * 0.6
    known.set(key, measured)
    return measured
  }
  return {
    token: token => Math.max(narrowest, Math.ceil(width(token.text, isNamed(token))) + padding),
    next: texts => Math.max(nextNarrowest, ...texts.map(text => Math.ceil(width(text, false)) + padding))
  }
}
