/** Plain YAML: one document of objects, lists, texts, numbers and truth values. Tags are refused, and where bounds allow none, aliases and anchors. */
import { parseDocument, visit } from 'yaml'
import { withinTime } from './time-limit.ts'

/** What a text may hold. The parser takes some kilobytes for each part of a text, and compares every key with all others of its object. */
export interface YamlBounds {
  readonly characters: number
  /** Lines, commas and brackets. */
  readonly parts: number
  /** Whether the last of two equal keys counts, as in Python, rather than none. */
  readonly mayRepeatKeys: boolean
  /** How many values aliases may stand for. */
  readonly aliases: number
}

const ofConfigs: YamlBounds = { characters: 128 * 1024, parts: 20_000, mayRepeatKeys: false, aliases: 0 }
/** How deep lists and objects may be nested, in brackets or, one a step, in blanks. */
const deepest = 100
/** How long a text may take, in ms. */
const patience = 10_000

function requireBounds(text: string, { characters, parts }: YamlBounds): void {
  if (text.length > characters) throw new SyntaxError(`${text.length} characters are more than any such file has`)
  let count = 0
  let depth = 0
  for (const [piece] of text.matchAll(/\n *(?:- *)*|[,[\]{}]|(?:[-?] +){2,}/g)) {
    count += 1
    if (piece === '[' || piece === '{') depth += 1
    else if (piece === ']' || piece === '}') depth -= 1
    if (depth > deepest || piece.length > 4 * deepest) throw new SyntaxError(`it is nested more than ${deepest} deep`)
    if (count > parts) throw new SyntaxError(`it has more than ${parts} parts`)
  }
}

/** The value of a YAML text. Throws SyntaxError for what is not plain YAML, or beyond its bounds. */
export function parseYaml(text: string, bounds: YamlBounds = ofConfigs): unknown {
  requireBounds(text, bounds)
  try {
    return withinTime(patience, () => parsed(text, bounds))
  } catch (thrown) {
    throw new SyntaxError(thrown instanceof Error ? (thrown.message.split('\n')[0] ?? '') : String(thrown))
  }
}

function parsed(text: string, { mayRepeatKeys, aliases }: YamlBounds): unknown {
  const uniqueKeys = !mayRepeatKeys
  const document = parseDocument(text, { schema: 'core', version: '1.2', logLevel: 'silent', prettyErrors: false, uniqueKeys })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) throw new SyntaxError(problem.message)
  visit(document, {
    Alias() {
      if (aliases === 0) throw new SyntaxError('it has an alias')
    },
    Node(_key, node) {
      if (aliases === 0 && 'anchor' in node && node.anchor !== undefined) throw new SyntaxError('it has an anchor')
      if (node.tag !== undefined && !node.tag.startsWith('tag:yaml.org,2002:')) throw new SyntaxError(`it has the tag ${node.tag}`)
    }
  })
  return document.toJS({ maxAliasCount: aliases })
}
