/** JSON of files that nobody vouches for, within bounds of what it becomes in memory: brackets alone take twenty times their bytes there. */

/** What a text may hold. */
export interface JsonBounds {
  /** How deep arrays and objects may be nested. */
  readonly depth: number
  /** How many arrays, objects and commas there may be. */
  readonly values: number
}

/** Deeper and larger than any config; what is deeper has overflowed the stack of whoever walks through it. */
const ofConfigs: JsonBounds = { depth: 100, values: 400_000 }

/** What is wrong with a text that is beyond its bounds. */
export class JsonBoundsError extends SyntaxError {}

/** A JSON text's value. Throws SyntaxError where it is none, and `JsonBoundsError` where it is beyond `bounds`. */
export function parseJson(text: string, bounds: JsonBounds = ofConfigs): unknown {
  requireBounds(text, bounds)
  return JSON.parse(text)
}

/** Why a text is no JSON that is read, in words: `is not JSON`. */
export function whyNoJson(thrown: unknown): string {
  return thrown instanceof JsonBoundsError ? thrown.message : 'is not JSON'
}

/** Looks before anything is built. Throws `JsonBoundsError`. */
export function requireBounds(text: string, bounds: JsonBounds): void {
  let depth = 0
  let values = 0
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22 /* " */:
        at = stringEnd(text, at)
        break
      case 0x5b /* [ */:
      case 0x7b /* { */:
        depth += 1
        values += 1
        if (depth > bounds.depth) throw new JsonBoundsError(`is nested more than ${bounds.depth} deep`)
        break
      case 0x5d /* ] */:
      case 0x7d /* } */:
        depth -= 1
        break
      case 0x2c /* , */:
        values += 1
    }
    if (values > bounds.values) throw new JsonBoundsError(`holds more than ${bounds.values} values`)
  }
}

/** The quotation mark that ends the string that begins at `start`; the text's end where none does. */
function stringEnd(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let backslashes = 0
    while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes += 1
    if (backslashes % 2 === 0) return at
  }
  return text.length
}
