/** `--target TOKEN[-OTHER][@POS]`, `loss`, `kl[@POS]`: the quantity that an attribution is of. */
import type { NamedToken, Quantity } from '../../contract/quantity.ts'
import { mistake, quoted } from './arguments.ts'

const hint =
  'Write a token, two joined by -, loss or kl, and perhaps @POS: e.g. --target " hole", --target " hole- space@5", --target 4123, --target kl@7. Text with - or @ goes between double quotes.'

/** A token at the beginning of a text: what stands between double quotes, else all up to the next - or @ that is not its first character. */
const named = /^(?:"([^"]+)"|(?!"")(.[^-@]*))/s

function readToken(text: string): { token: NamedToken; rest: string } | null {
  const [all, between, bare] = named.exec(text) ?? []
  if (all === undefined) return null
  const rest = text.slice(all.length)
  if (between !== undefined) return { token: { text: between }, rest }
  if (bare === undefined) return null
  return { token: /^\d+$/.test(bare) ? { id: Number(bare) } : { text: bare }, rest }
}

/** Reads a target. A whole number is a token id; `"7"` in double quotes is text. Throws `cli/usage`. */
export function readTarget(text: string): Quantity {
  const refused = mistake('--target', `--target ${quoted(text)} is no quantity.`, hint)
  const position = (rest: string): { position?: number } => {
    if (rest === '') return {}
    const [, digits] = /^@(\d{1,9})$/.exec(rest) ?? []
    if (digits === undefined) throw refused
    return { position: Number(digits) }
  }
  if (text === 'loss') return { kind: 'loss' }
  if (/^kl(@|$)/.test(text)) return { kind: 'kl', ...position(text.slice('kl'.length)) }
  const first = readToken(text)
  if (first === null) throw refused
  if (!first.rest.startsWith('-')) return { kind: 'log-prob', token: first.token, ...position(first.rest) }
  const second = readToken(first.rest.slice(1))
  if (second === null) throw refused
  return { kind: 'logit-difference', token: first.token, other: second.token, ...position(second.rest) }
}
