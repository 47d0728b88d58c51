/** JSON of files that nobody vouches for. */

/** Deeper than any config or tokenizer; what is deeper has overflowed the stack of whoever walks through it. */
const deepest = 100

/** A JSON text's value. Throws SyntaxError where it is none, or has arrays and objects nested more than `most` deep. */
export function parseJson(text: string, most = deepest): unknown {
  if (nestsDeeper(text, most)) throw new SyntaxError(`nested more than ${most} deep`)
  return JSON.parse(text)
}

/** Looked at before anything is built: 64 MB of brackets are gigabytes of arrays. */
function nestsDeeper(text: string, most: number): boolean {
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22 /* " */) {
      at = stringEnd(text, at)
      if (at === -1) return false
    } else if (code === 0x5b /* [ */ || code === 0x7b /* { */) {
      depth += 1
      if (depth > most) return true
    } else if (code === 0x5d /* ] */ || code === 0x7d /* } */) depth -= 1
  }
  return false
}

/** The quotation mark that ends the string that begins at `start`; -1 where none does. */
function stringEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let backslashes = 0
    while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes += 1
    if (backslashes % 2 === 0) return at
  }
  return -1
}
