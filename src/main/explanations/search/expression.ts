/** Expressions of FTS5 (https://www.sqlite.org/fts5.html, section 3). */

/** A term that no text has. */
export const noTerm = '"!none"'

/** More alternatives than this are asked for in groups. */
const mostAlternatives = 32

/**
 * Any of some expressions. FTS5 looks at every alternative for every row it finds, and takes an OR within an OR for one; groups that
 * it must keep apart make that the square root of as many.
 */
export function either(expressions: readonly string[]): string {
  if (expressions.length <= 1) return expressions[0] ?? noTerm
  if (expressions.length <= mostAlternatives) return `(${expressions.join(' OR ')})`
  const size = Math.ceil(Math.sqrt(expressions.length))
  const groups: string[] = []
  for (let at = 0; at < expressions.length; at += size) groups.push(`((${expressions.slice(at, at + size).join(' OR ')}) NOT ${noTerm})`)
  return `(${groups.join(' OR ')})`
}
