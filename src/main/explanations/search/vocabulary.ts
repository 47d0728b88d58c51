/**
 * The distinct runs of all explanations, and which of them contain, start or end with a piece of text. Each has its 1-, 2- and
 * 3-grams in an index (ends marked, so that starts and ends are grams too); the index proposes, the stored run decides.
 */
import type { Database, Statement } from 'better-sqlite3'
import { encodePiece, type RunPattern } from './index-terms.ts'

/** Marks of a run's ends; no encoded character looks like them. */
const startMark = '<'
const endMark = '>'
const longestGram = 3
const isPlain = /^[A-Z0-9]+$/

/** A run's characters, encoded, with a mark at each end that is fixed. */
function unitsOf({ run, start, end }: RunPattern): string[] {
  return [...(start ? [startMark] : []), ...Array.from(run, encodePiece), ...(end ? [endMark] : [])]
}

function gramsOf(units: readonly string[], length: number): Set<string> {
  const grams = new Set<string>()
  for (let at = 0; at + length <= units.length; at++) grams.add(units.slice(at, at + length).join(''))
  return grams
}

/** The 1-, 2- and 3-grams of a whole run, separated by spaces; some may occur twice. */
function allGrams(run: string): string {
  const encoded = encodePiece(run)
  // Nothing was encoded in a run of plain letters: its characters are its units.
  const units = encoded === run && isPlain.test(run) ? `${startMark}${run}${endMark}` : unitsOf({ run, start: true, end: true })
  let grams = ''
  for (let at = 0; at < units.length; at++) {
    const [one = '', two, three] = [units[at], units[at + 1], units[at + 2]]
    grams += `${one} `
    if (two !== undefined) grams += `${one}${two} `
    if (two !== undefined && three !== undefined) grams += `${one}${two}${three} `
  }
  return grams
}

/** A run without the marks of its letters, and with compatible forms as one: what words are compared by. */
export function foldWord(run: string): string {
  return /^[\x21-\x7e]*$/.test(run) ? run.toUpperCase() : run.normalize('NFKD').replaceAll(/\p{M}/gu, '').toUpperCase()
}

/** Whether a run is one that a pattern means. */
function fits(run: string, { run: piece, start, end }: RunPattern): boolean {
  if (start && end) return run === piece
  if (start) return run.startsWith(piece)
  return end ? run.endsWith(piece) : run.includes(piece)
}

/** Adds runs to the vocabulary of a mirror that is being written. */
export class VocabularyWriter {
  readonly #add: Statement<[string, string | null]>
  readonly #index: Statement<[number | bigint, string]>

  constructor(database: Database) {
    this.#add = database.prepare<[string, string | null]>('INSERT OR IGNORE INTO runs (run, folded) VALUES (?, ?)')
    this.#index = database.prepare<[number | bigint, string]>('INSERT INTO run_grams (rowid, grams) VALUES (?, ?)')
  }

  add(run: string): void {
    const folded = foldWord(run)
    const { changes, lastInsertRowid } = this.#add.run(run, folded === run ? null : folded)
    if (changes === 0) return
    this.#index.run(lastInsertRowid, allGrams(run))
  }
}

/** Finds runs in the vocabulary of a mirror. */
export class Vocabulary {
  readonly #candidates: Statement<[string]>
  readonly #byFolded: Statement<[string]>
  readonly #byFoldedStart: Statement<[string, string, string, string, number]>

  constructor(database: Database) {
    this.#byFolded = database.prepare<[string]>('SELECT run FROM runs WHERE folded = ?').pluck()
    this.#byFoldedStart = database
      .prepare<[string, string, string, string, number]>(
        'SELECT run FROM runs WHERE (run >= ? AND run < ? AND folded IS NULL) OR (folded >= ? AND folded < ?) LIMIT ?'
      )
      .pluck()
    this.#candidates = database
      .prepare<[string]>('SELECT r.run FROM run_grams g CROSS JOIN runs r ON r.id = g.rowid WHERE run_grams MATCH ?')
      .pluck()
  }

  /** Runs that fit a pattern, in the order in which they were first seen; null where there are more than `limit`. */
  matching(pattern: RunPattern, limit: number): string[] | null {
    const units = unitsOf(pattern)
    const grams = gramsOf(units, Math.min(longestGram, units.length))
    const found: string[] = []
    for (const run of this.#candidates.iterate([...grams].map(gram => `"${gram}"`).join(' AND '))) {
      if (typeof run !== 'string' || !fits(run, pattern)) continue
      if (found.length === limit) return null
      found.push(run)
    }
    return found
  }

  /** Runs that are a word, whatever the marks of its letters. `folded` is what `foldWord` gives. */
  spellings(folded: string): string[] {
    return [folded, ...this.#byFolded.all(folded).map(String)]
  }

  /** Runs that start with a word, likewise; null where there are more than `limit`. */
  startingWith(folded: string, limit: number): string[] | null {
    const after = `${folded}\u{10ffff}`
    const found = this.#byFoldedStart.all(folded, after, folded, after, limit + 1).map(String)
    return found.length > limit ? null : found
  }
}
