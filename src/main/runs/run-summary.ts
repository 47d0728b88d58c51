/** What lists say of a run, taken from its request and result when it is kept. */
import type { z } from 'zod'
import { keptRun } from '../../contract/history.ts'
import type { RunRequest, RunResult, SaeResult } from '../../contract/run.ts'

export const keptSaes = keptRun.shape.saes
export const keptVariants = keptRun.shape.variants

/** Most characters of a prompt that lists and searches have. */
const mostPrompt = 20_000

/** How people name an SAE: its source's layer, its name in its release, or the last parts of its path. */
export function saeLabel({ source, sourceChosenByHand, release, path }: SaeResult): string {
  if (release !== null) return `${release.name}/${release.saeId}`
  // A source that a person chose may be a neighbour's.
  if (source !== null && !sourceChosenByHand) return source
  const parts = path.split(/[\\/]/).filter(part => part !== '')
  return parts.slice(-3).join('/')
}

/** The prompt as it was written, or as its tokens read. */
export function promptText({ prompt }: Pick<RunRequest, 'prompt'>, { tokens }: Pick<RunResult, 'tokens'>): string {
  const text = 'text' in prompt ? prompt.text : tokens.map(token => token.text).join('')
  return text.slice(0, mostPrompt)
}

/** What a list shows of a run beside what a person says of it. */
export function summaryOf(request: RunRequest, result: RunResult) {
  const { model, saes, variants, comparison } = result
  return {
    prompt: promptText(request, result),
    tokens: result.tokens.length,
    model,
    saes: saes.map(sae => ({ name: sae.name, label: saeLabel(sae), hook: sae.hook })) satisfies z.infer<typeof keptSaes>,
    variants: variants.map(({ name, loss }) => ({
      name,
      loss,
      meanKl: comparison.find(({ variant }) => variant === name)?.meanKl ?? null
    })) satisfies z.infer<typeof keptVariants>
  }
}

/** What a search looks through. SQLite's own upper case knows ASCII alone, so both sides are written in it here. */
export function searchText(parts: readonly (string | null)[]): string {
  return parts
    .filter(part => part !== null)
    .join('\n')
    .toUpperCase()
}

/** The words of a search, as `searchText` writes them. */
export function searchWords(text: string): string[] {
  return text
    .toUpperCase()
    .split(/\s+/)
    .filter(word => word !== '')
}
