/**
 * Reads the XML of an S3 listing (ListObjectsV2): elements with text, and nothing else. A general XML library would also understand
 * what no listing holds and what is known for harm: document types, entities of one's own, processing instructions. Here they are
 * refused, and so is whatever is not well formed.
 */

/** An element: its text, or those below it. */
export interface Element {
  readonly name: string
  readonly children: readonly Element[]
  readonly text: string
}

/** Listings of 1,000 keys have some 400 kB. */
export const longestXml = 16 * 1024 * 1024
const deepest = 8

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** What is wrong with the text, and where. */
export class XmlError extends Error {
  constructor(problem: string, at: number) {
    super(`${problem} at character ${at}`)
  }
}

function decode(text: string, at: number): string {
  if (text.includes('<')) throw new XmlError('a stray <', at)
  return text.replaceAll(/&([^;&\s]*);?/g, (all, name: string) => {
    const number = /^#(\d{1,7})$/.exec(name)?.[1] ?? /^#x([0-9a-f]{1,6})$/i.exec(name)?.[1]
    const code = number === undefined ? null : Number.parseInt(number, name.startsWith('#x') || name.startsWith('#X') ? 16 : 10)
    if (all.endsWith(';') && code !== null && code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff))
      return String.fromCodePoint(code)
    const known = all.endsWith(';') ? entities[name] : undefined
    if (known === undefined) throw new XmlError(`the entity ${JSON.stringify(all)}`, at)
    return known
  })
}

const token = /<(\/?)([A-Za-z_][\w.-]*)((?:\s+[A-Za-z_:][\w.:-]*\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y

/** The root element. Throws `XmlError` for anything but well-formed elements and text. */
export function readXml(xml: string): Element {
  if (xml.length > longestXml) throw new XmlError('too much text', longestXml)
  const text = xml.replace(/^\ufeff?\s*(?:<\?xml\s[^?<>]*\?>)?/, head => ' '.repeat(head.length))
  const open: { name: string; children: Element[]; text: string }[] = []
  let root: Element | null = null
  let at = 0
  while (at < text.length) {
    const next = text.indexOf('<', at)
    const between = text.slice(at, next === -1 ? text.length : next)
    const inside = open.at(-1)
    if (inside !== undefined) inside.text += decode(between, at)
    else if (between.trim() !== '') throw new XmlError('text outside of the document', at)
    if (next === -1) break
    token.lastIndex = next
    const match = token.exec(text)
    if (match === null) throw new XmlError('what is no element', next)
    const [whole, isClosing, name = '', attributes, isEmpty] = match
    at = next + whole.length
    if (isClosing !== '') {
      const closed = open.pop()
      if (closed === undefined || closed.name !== name || attributes !== '' || isEmpty !== '') throw new XmlError(`</${name}>`, next)
      if (closed.children.length > 0 && closed.text.trim() !== '') throw new XmlError('text beside elements', next)
      const element: Element = closed
      const parent = open.at(-1)
      if (parent === undefined) root = element
      else parent.children.push(element)
      continue
    }
    if (root !== null) throw new XmlError('a second document', next)
    if (open.length >= deepest) throw new XmlError('elements too deep', next)
    if (isEmpty === '') {
      open.push({ name, children: [], text: '' })
      continue
    }
    const element: Element = { name, children: [], text: '' }
    const parent = open.at(-1)
    if (parent === undefined) root = element
    else parent.children.push(element)
  }
  if (root === null || open.length > 0) throw new XmlError('the end before the document is whole', text.length)
  return root
}
