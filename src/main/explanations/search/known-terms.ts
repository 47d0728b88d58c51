/**
 * What is known of a term before rows are asked for it: whether the text index has it, and roughly how much of the index it
 * takes. The latter is asked of FTS5's own table of pages (`<index>_idx`: the first term of each page that begins one); nothing
 * but the order of work depends on it. https://www.sqlite.org/fts5.html
 */
import type { Database, Statement } from 'better-sqlite3'
import type { Vocabulary } from './vocabulary.ts'

/** Terms of the index proper are stored behind this mark. */
const mainIndex = '0'

/** FTS5's ascii tokenizer takes capitals for small letters, and no others. */
function folded(term: string): string {
  return term.replaceAll(/[A-Z]/g, letter => letter.toLowerCase())
}

/** What a plan may ask before rows are asked for. */
export interface KnownIndex {
  readonly vocabulary: Vocabulary
  readonly terms: KnownTerms
}

export class KnownTerms {
  readonly #next: Statement<[string]>
  readonly #nextSegment: Statement<[number]>
  readonly #startingPage: Statement<[number, Buffer]>
  readonly #pageAfter: Statement<[number, Buffer]>

  constructor(database: Database) {
    database.exec('CREATE VIRTUAL TABLE IF NOT EXISTS temp.known_terms USING fts5vocab (main, text_index, instance)')
    this.#next = database.prepare<[string]>('SELECT term FROM temp.known_terms WHERE term >= ? LIMIT 1').pluck()
    this.#nextSegment = database.prepare<[number]>('SELECT min(segid) FROM text_index_idx WHERE segid > ?').pluck()
    this.#startingPage = database
      .prepare<[number, Buffer]>('SELECT pgno >> 1 FROM text_index_idx WHERE segid = ? AND term <= ? ORDER BY term DESC LIMIT 1')
      .pluck()
    this.#pageAfter = database
      .prepare<[number, Buffer]>('SELECT pgno >> 1 FROM text_index_idx WHERE segid = ? AND term > ? ORDER BY term LIMIT 1')
      .pluck()
  }

  /** Whether any text has a term, or, with `isStart`, one that starts so. */
  has(term: string, isStart: boolean): boolean {
    const known = this.#next.get(folded(term))
    return typeof known === 'string' && (isStart ? known.startsWith(folded(term)) : known === folded(term))
  }

  /**
   * Terms that start with `start` and go on with a character that is wanted, folded; null where they are more than `most`, or telling
   * takes too long. Others are stepped over, all that go on with the same character at once.
   */
  goingOn(start: string, isWanted: (character: string) => boolean, most: number): string[] | null {
    const begin = folded(start)
    const found: string[] = []
    let from = begin
    for (let steps = 0; steps < 2 * most; steps++) {
      const term = this.#next.get(from)
      if (typeof term !== 'string' || !term.startsWith(begin)) return found
      const [character = ''] = term.slice(begin.length)
      const isFound = character !== '' && isWanted(character)
      if (isFound) found.push(term)
      from = isFound ? `${term}\u0001` : `${begin}${character}\u{10ffff}`
    }
    return null
  }

  /** Pages (of some 4 kB, 2,000 to 4,000 rows) of the rows that have a term, or, with `isStart`, any that starts so. Its neighbours may be counted in. */
  pages(term: string, isStart: boolean): number {
    const first = Buffer.from(mainIndex + folded(term))
    const last = isStart ? Buffer.concat([first, Buffer.from([0xff])]) : first
    let pages = 0
    for (let segment: unknown = this.#nextSegment.get(0); typeof segment === 'number'; segment = this.#nextSegment.get(segment)) {
      const start = Number(this.#startingPage.get(segment, first) ?? 0)
      const end = Number(this.#pageAfter.get(segment, last) ?? start)
      pages += Math.max(0, end - start)
    }
    return pages
  }
}
