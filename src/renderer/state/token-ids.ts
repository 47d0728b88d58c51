/** Token ids as people type and paste them: whole numbers with commas or spaces between, in brackets or not. */
import type { ErrorData } from '../../contract/errors.ts'

export type ParsedIds = { ids: number[]; error: null } | { ids: null; error: ErrorData }

function refuse(message: string, hint: string): ParsedIds {
  return { ids: null, error: { kind: 'prompt/token-id', message, hint, field: 'ids', mistake: true } }
}

/** The place of a list's item in words, e.g. `3rd`. */
function ordinal(place: number): string {
  const lastTwo = place % 100
  const ending = lastTwo >= 11 && lastTwo <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][place % 10] ?? 'th')
  return `${place}${ending}`
}

/** The ids of a text, or the first thing in it that is none. `vocabulary` is the model's number of ids; null where no model is open. */
export function parseTokenIds(text: string, vocabulary: number | null): ParsedIds {
  const range = vocabulary === null ? 'Ids are whole numbers from 0, with commas or spaces between.' : `Its ids are 0 to ${vocabulary - 1}.`
  const bare = text.trim().replace(/^\[([^[\]]*)\]$/, '$1')
  if (bare.trim() === '') return { ids: [], error: null }
  const ids: number[] = []
  // A comma at the end is one that the next id is typed after.
  const parts = bare.replace(/,\s*$/, '').split(',')
  for (const part of parts) {
    const words = part.split(/\s+/).filter(word => word !== '')
    if (words.length === 0) return refuse(`the ${ordinal(ids.length + 1)} token id is missing: nothing stands before a comma`, range)
    for (const word of words) {
      if (!/^\d+$/.test(word)) return refuse(`“${word}”, the ${ordinal(ids.length + 1)}, is not a token id`, range)
      const id = Number(word)
      if (vocabulary !== null && id >= vocabulary) {
        return refuse(`token id ${word}, the ${ordinal(ids.length + 1)}, is not in the model's vocabulary`, range)
      }
      if (!Number.isSafeInteger(id)) return refuse(`“${word}”, the ${ordinal(ids.length + 1)}, is not a token id`, range)
      ids.push(id)
    }
  }
  return { ids, error: null }
}
