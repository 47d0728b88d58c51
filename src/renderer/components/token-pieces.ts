/**
 * A token's text cut into what is drawn: spaces as faint dots, newlines as return signs, tabs as arrows. The text itself is never changed.
 */
import type { Token } from '../../contract/run.ts'

export type TokenPiece = { text: string; mark: boolean }

const marks: Record<string, string> = { ' ': '·', '\n': '⏎', '\r': '␍', '\t': '→', '\u00a0': '⍽', '\u200b': '∅' }

/** The pieces of a token's text in order; neighbours of one kind are joined. */
export function tokenPieces(text: string): TokenPiece[] {
  const pieces: TokenPiece[] = []
  for (const character of text) {
    const sign = marks[character]
    const last = pieces.at(-1)
    const mark = sign !== undefined
    if (last !== undefined && last.mark === mark) last.text += sign ?? character
    else pieces.push({ text: sign ?? character, mark })
  }
  return pieces
}

/** Whether a token is drawn by its name in a smaller face: special tokens and bytes such as `<0x0A>`. */
export function isNamed(token: Pick<Token, 'text' | 'special'>): boolean {
  return token.special || /^<0x[0-9A-F]{2}>$/.test(token.text)
}

/** A token in words for a screen reader, e.g. `" worm"`. */
export function quoteToken(text: string): string {
  return `"${text.replaceAll('\n', '\\n').replaceAll('\t', '\\t')}"`
}
