/**
 * Takes sources out of the mirror. The first transaction takes their names: from then on nothing finds them. Their rows go in
 * transactions of bounded size; whoever writes to the mirror next finishes what was cut off.
 */
import type { Database } from 'better-sqlite3'
import { z } from 'zod'
import { SpliceError } from '../../../contract/errors.ts'
import type { RemoveResult } from '../../../contract/mirror.ts'
import { firstRow } from '../rowids.ts'
import { TermWriter } from '../search/index-terms.ts'
import { TextIndexWriter } from '../search/text-index.ts'
import { keepSummaries } from '../source-summaries.ts'
import { type JobControl, throwIfCancelled } from './job.ts'

/** Rows of one transaction, by what they weigh. */
const explanationsAtOnce = 2000
const blobsAtOnce = 500

const pendingRow = z.object({ source: z.number(), model: z.string(), layer: z.string() })

interface StoredText {
  readonly row: number
  readonly description: string
  readonly explainer: number | null
  readonly type: number | null
}

/** Sources whose rows are still to be taken out, `modelId/layer` by number. */
export function pendingRemovals(database: Database): Map<number, string> {
  const rows = database.prepare('SELECT source, model, layer FROM removals ORDER BY source').all()
  return new Map(
    rows.map(raw => {
      const { source, model, layer } = pendingRow.parse(raw)
      return [source, `${model}/${layer}`]
    })
  )
}

/** The error for a source that the mirror does not have. */
export function noSource(source: string): SpliceError {
  return new SpliceError('mirror/no-source', `the mirror has no source ${source}`, {
    field: 'source',
    hint: 'Sources are written MODEL/SOURCE, as splice sources lists them.'
  })
}

/** The numbers of sources by `modelId/layer`. Throws `mirror/no-source` for one that is not there. */
function numbersOf(database: Database, sources: readonly string[]): number[] {
  const find = database.prepare<[string, string]>('SELECT id FROM sources WHERE model = ? AND layer = ?').pluck()
  return [...new Set(sources)].map(source => {
    const slash = source.indexOf('/')
    const id = find.get(source.slice(0, slash), source.slice(slash + 1))
    if (typeof id === 'number') return id
    throw noSource(source)
  })
}

/** Free room within the file, in bytes. */
export function freeBytesWithin(database: Database): number {
  return Number(database.pragma('freelist_count', { simple: true })) * Number(database.pragma('page_size', { simple: true }))
}

interface Counts {
  explanations: number
  statistics: number
  embeddings: number
}

class Removal {
  readonly #database: Database
  readonly #control: JobControl
  readonly #index: TextIndexWriter
  readonly #terms = new TermWriter()
  readonly #statements
  readonly counts: Counts = { explanations: 0, statistics: 0, embeddings: 0 }
  #expected = 0
  #done = 0

  constructor(database: Database, control: JobControl) {
    this.#database = database
    this.#control = control
    this.#index = new TextIndexWriter(database)
    const inRange = 'BETWEEN CAST(? AS INTEGER) AND CAST(? AS INTEGER)'
    this.#statements = {
      texts: database.prepare<[number, number, number], StoredText>(
        `SELECT rowid AS row, description, explainer, type FROM explanations WHERE rowid ${inRange} ORDER BY rowid LIMIT ?`
      ),
      removeTexts: database.prepare<[number, number]>(`DELETE FROM explanations WHERE rowid ${inRange}`),
      removeEmbeddings: database.prepare<[number, number, number]>(`DELETE FROM embeddings WHERE row IN
        (SELECT row FROM embeddings WHERE row ${inRange} LIMIT ?)`),
      removeStatistics: database.prepare<[number, number, number]>(`DELETE FROM feature_statistics WHERE source = ? AND feature IN
        (SELECT feature FROM feature_statistics WHERE source = ? LIMIT ?)`),
      removeExamples: database.prepare<[number, number, number]>(`DELETE FROM feature_examples WHERE source = ? AND feature IN
        (SELECT DISTINCT feature FROM feature_examples WHERE source = ? LIMIT ?)`),
      lastRow: database.prepare<[number, number]>(`SELECT max(rowid) FROM explanations WHERE rowid ${inRange}`).pluck()
    }
  }

  /** Repeats a step in transactions of its own until it finds nothing more. Throws `mirror/cancelled` between two. */
  #repeat(step: () => number): number {
    for (let all = 0; ; ) {
      throwIfCancelled(this.#control, 'removal', 'the rest goes with the next work on the mirror')
      const some = this.#database.transaction(step).immediate()
      if (some === 0) return all
      all += some
      this.#done += some
      const fraction = this.#expected === 0 ? null : Math.min(1, this.#done / this.#expected)
      this.#control.onProgress({ stage: 'removing', fraction })
    }
  }

  #removeTexts(first: number, last: number): number {
    const rows = this.#statements.texts.all(first, last, explanationsAtOnce)
    const end = rows.at(-1)
    if (end === undefined) return 0
    for (const { row, description, explainer, type } of rows) this.#index.remove(row, this.#terms.termsOf(description), { explainer, type })
    this.#terms.takeNewRuns()
    this.#statements.removeTexts.run(first, end.row)
    return rows.length
  }

  /** Rows that sources have, for the progress. */
  expect(sources: Iterable<number>): void {
    for (const source of sources) {
      const last = this.#statements.lastRow.get(firstRow(source), firstRow(source + 1) - 1)
      if (typeof last === 'number') this.#expected += last - firstRow(source) + 1
    }
  }

  embeddingsOf(source: number): void {
    const [first, last] = [firstRow(source), firstRow(source + 1) - 1]
    this.counts.embeddings += this.#repeat(() => this.#statements.removeEmbeddings.run(first, last, blobsAtOnce).changes)
  }

  /** All rows of a source whose name is gone. */
  rowsOf(source: number): void {
    const [first, last] = [firstRow(source), firstRow(source + 1) - 1]
    this.embeddingsOf(source)
    this.counts.explanations += this.#repeat(() => this.#removeTexts(first, last))
    this.counts.statistics += this.#repeat(() => this.#statements.removeStatistics.run(source, source, blobsAtOnce).changes)
    this.#repeat(() => this.#statements.removeExamples.run(source, source, blobsAtOnce).changes)
    this.#database.prepare('DELETE FROM removals WHERE source = ?').run(source)
  }
}

/** Takes out the rows of sources whose removal was cut off. Throws `mirror/cancelled`. */
export function finishRemovals(database: Database, control: JobControl): Counts {
  const pending = [...pendingRemovals(database).keys()]
  const removal = new Removal(database, control)
  removal.expect(pending)
  for (const source of pending) removal.rowsOf(source)
  return removal.counts
}

/** Files that brought rows of a source have to be read again to bring them back. */
function forgetImports(database: Database, source: number): void {
  database.prepare('DELETE FROM imports WHERE id IN (SELECT import FROM import_sources WHERE source = ?)').run(source)
  database.prepare('DELETE FROM import_sources WHERE import NOT IN (SELECT id FROM imports)').run()
}

/** Takes sources out with all they have. Throws `mirror/no-source` before anything is done, `mirror/cancelled`. */
export function removeSources(database: Database, sources: readonly string[], control: JobControl): RemoveResult {
  const started = performance.now()
  database
    .transaction(() => {
      for (const source of numbersOf(database, sources)) {
        database.prepare('INSERT INTO removals (source, model, layer) SELECT id, model, layer FROM sources WHERE id = ?').run(source)
        database.prepare('DELETE FROM sources WHERE id = ?').run(source)
        database.prepare('DELETE FROM source_summaries WHERE source = ?').run(source)
        database.prepare('DELETE FROM harvests WHERE source = ?').run(source)
        forgetImports(database, source)
      }
    })
    .immediate()
  const counts = finishRemovals(database, control)
  return { sources: [...new Set(sources)], ...counts, freeBytes: freeBytesWithin(database), seconds: (performance.now() - started) / 1000 }
}

/** Takes out the embeddings of sources alone. Throws `mirror/no-source` before anything is done, `mirror/cancelled`. */
export function removeEmbeddings(database: Database, sources: readonly string[], control: JobControl): RemoveResult {
  const started = performance.now()
  const removal = new Removal(database, control)
  const numbers = numbersOf(database, sources)
  const forget = database.prepare('UPDATE imports SET with_embeddings = 0 WHERE id IN (SELECT import FROM import_sources WHERE source = ?)')
  for (const source of numbers) {
    // From here on a file that brought them is read again when they are wanted.
    database
      .transaction(() => {
        forget.run(source)
        database.prepare('DELETE FROM source_summaries WHERE source = ?').run(source)
      })
      .immediate()
    removal.embeddingsOf(source)
    database.transaction(() => keepSummaries(database, [source])).immediate()
  }
  return {
    sources: [...new Set(sources)],
    ...removal.counts,
    freeBytes: freeBytesWithin(database),
    seconds: (performance.now() - started) / 1000
  }
}
