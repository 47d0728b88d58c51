/** What a search finds in one's own notes, by the same rules as in the mirror's explanations as far as notes need them. */
import type { SearchMode } from '../../../../contract/explanations.ts'
import type { NotebookEntry } from '../../../../contract/notebook.ts'
import type { Question } from './question.ts'

/** A feature whose note a search found, and where in the note, in UTF-16 units. */
export interface OwnHit {
  readonly source: string
  readonly index: number
  readonly note: string
  readonly matches: readonly (readonly [number, number])[]
}

/** Words of a ranked search that a note has to have: operators and what is behind NOT or a minus are left out. */
function wantedWords(query: string): string[] {
  const words = query.match(/-?[\p{L}\p{N}]+/gu) ?? []
  return words.filter((word, at) => !/^(AND|OR|NOT)$/.test(word) && !word.startsWith('-') && words[at - 1] !== 'NOT')
}

/** All places of `part` in `text`, in upper or lower case. */
function placesOf(text: string, part: string): [number, number][] {
  const expression = new RegExp(part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'), 'giu')
  return [...text.matchAll(expression)].map(({ index, 0: found }) => [index, index + found.length])
}

/** Where a note has what is asked for; null where it has not. Nothing is found by an empty query. */
export function matchesIn(note: string, query: string, mode: SearchMode): [number, number][] | null {
  const parts = mode === 'words' ? wantedWords(query) : query === '' ? [] : [query]
  if (parts.length === 0) return null
  const places = parts.map(part => placesOf(note, part))
  return places.some(found => found.length === 0) ? null : places.flat().sort((one, other) => one[0] - other[0])
}

/** The kept features whose notes a question finds, within its model, release and source. */
export function ownHits(entries: readonly NotebookEntry[], { query, mode, model, release, source }: Question): OwnHit[] {
  return entries.flatMap(entry => {
    const { note, index } = entry
    const [itsModel, layer = ''] = entry.source.split(/\/(.*)/s)
    const isWithin =
      (model === '' || itsModel === model) &&
      (release === '' || layer.replace(/^\d+-/, '') === release) &&
      (source === '' || entry.source === source || layer === source)
    const matches = note === null || !isWithin ? null : matchesIn(note.text, query, mode)
    return note === null || matches === null ? [] : [{ source: entry.source, index, note: note.text, matches }]
  })
}
