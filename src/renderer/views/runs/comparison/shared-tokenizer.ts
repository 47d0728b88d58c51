/** Whether two runs cut text into the same tokens: only then do their positions and predictions mean the same. */
import type { RunResult } from '../../../../contract/run.ts'
import { quoteToken } from '../../../components/token-pieces.ts'

/** Every id that a run names, with its text. */
function vocabularyOf({ tokens, variants }: RunResult): Map<number, string> {
  const known = new Map<number, string>()
  for (const { id, text } of tokens) known.set(id, text)
  for (const { topK } of variants) for (const predicted of topK) for (const { id, text } of predicted) known.set(id, text)
  return known
}

/**
 * Why the tokens of two runs cannot be compared, in a sentence; null where they can. Runs of one model folder always can; of two
 * models, every id that both name has to have the same text, and there has to be one.
 */
export function whyNotComparable(one: RunResult, other: RunResult): string | null {
  if (one.model.path === other.model.path) return null
  const [names, others] = [vocabularyOf(one), vocabularyOf(other)]
  let shared = 0
  for (const [id, text] of names) {
    const its = others.get(id)
    if (its === undefined) continue
    if (its !== text) {
      return `${one.model.name} and ${other.model.name} have different tokenizers: token ${id} is ${quoteToken(text)} in one and ${quoteToken(its)} in the other.`
    }
    shared += 1
  }
  if (shared > 0) return null
  return `Nothing shows that ${one.model.name} and ${other.model.name} have the same tokenizer: these runs have no token id in common.`
}
