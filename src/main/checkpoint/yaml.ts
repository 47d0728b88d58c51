/** Plain YAML: one document of objects, lists, texts, numbers and truth values. Tags, aliases and anchors are refused. */
import { parseDocument, visit } from 'yaml'

const maximumLength = 1024 * 1024

/** The value of a YAML text. Throws SyntaxError for what is not plain YAML. */
export function parseYaml(text: string): unknown {
  if (text.length > maximumLength) throw new SyntaxError(`${text.length} characters are more than any config has`)
  const document = parseDocument(text, { schema: 'core', version: '1.2', logLevel: 'silent', prettyErrors: false })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) throw new SyntaxError(problem.message)
  visit(document, {
    Alias() {
      throw new SyntaxError('an alias')
    },
    Node(_key, node) {
      if ('anchor' in node && node.anchor !== undefined) throw new SyntaxError('an anchor')
      if (node.tag !== undefined && !node.tag.startsWith('tag:yaml.org,2002:')) throw new SyntaxError(`the tag ${node.tag}`)
    }
  })
  return document.toJS({ maxAliasCount: 0 })
}
