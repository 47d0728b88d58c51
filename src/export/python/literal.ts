/** Values as Python writes them. */

export type Literal = string | number | boolean | null | readonly Literal[] | { readonly [key: string]: Literal }

const widest = 100

/** A Python string literal; everything outside printable ASCII is escaped, so that the file reads the same everywhere. */
export function pyString(text: string): string {
  let out = ''
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0
    if (character === '"' || character === '\\') out += `\\${character}`
    else if (character === '\n') out += '\\n'
    else if (code >= 32 && code < 127) out += character
    else if (code < 256) out += `\\x${code.toString(16).padStart(2, '0')}`
    else if (code < 65536) out += `\\u${code.toString(16).padStart(4, '0')}`
    else out += `\\U${code.toString(16).padStart(8, '0')}`
  }
  return `"${out}"`
}

/** A value as a Python expression; long ones take a line per item, `indent` spaces in. */
export function py(value: Literal, indent = 0): string {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'number')
    return Number.isFinite(value) ? String(value) : `float("${Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'}")`
  if (typeof value === 'string') return pyString(value)
  const [open, close] = isList(value) ? ['[', ']'] : ['{', '}']
  const items = isList(value)
    ? value.map(item => py(item, indent + 4))
    : Object.entries(value).map(([key, item]) => `${pyString(key)}: ${py(item, indent + 4)}`)
  const line = `${open}${items.join(', ')}${close}`
  if (indent + line.length <= widest && !line.includes('\n')) return line
  const inner = ' '.repeat(indent + 4)
  const parts = isList(value) && value.every(item => typeof item === 'number') ? filled(items, indent + 4) : items
  return `${open}\n${parts.map(item => `${inner}${item},\n`).join('')}${' '.repeat(indent)}${close}`
}

/** Short items, several to a line. */
function filled(items: readonly string[], indent: number): string[] {
  const lines: string[] = []
  for (const item of items) {
    const last = lines.at(-1)
    if (last !== undefined && indent + last.length + item.length + 3 <= widest) lines[lines.length - 1] = `${last}, ${item}`
    else lines.push(item)
  }
  return lines
}

function isList(value: Literal): value is readonly Literal[] {
  return Array.isArray(value)
}

/** Text as lines of a comment. */
export function comment(text: string): string {
  const lines: string[] = []
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < widest - 1) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(`# ${word}`)
  }
  return lines.join('\n')
}
