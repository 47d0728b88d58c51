/** Text in HTML: whatever a prompt, a note or an explanation holds stays text. */

/** Escapes text for an element or a quoted attribute. */
export function escapeHtml(text: string): string {
  return text
    .toWellFormed()
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
    .replaceAll('\u0000', '\ufffd')
}

/** A piece of HTML that is escaped already. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

type Part = string | number | Html | readonly Html[] | null

/** HTML from a template: what is put in is escaped, unless it is HTML itself. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const write = (part: Part): string => {
    if (part === null) return ''
    if (part instanceof Html) return part.text
    if (typeof part === 'object') return part.map(one => one.text).join('')
    return escapeHtml(String(part))
  }
  return new Html(strings.map((piece, at) => piece + (at < parts.length ? write(parts[at] ?? null) : '')).join(''))
}
