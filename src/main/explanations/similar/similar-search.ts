/**
 * Explanations like others: by the cosine of the angle between their embeddings. Every embedding is looked at, by sqlite-vec's
 * distance in float32; the nearest ones are then compared in double precision (docs/decisions/014).
 */
import type { Database, Statement } from 'better-sqlite3'
import { getLoadablePath } from 'sqlite-vec'
import { z } from 'zod'
import { SpliceError } from '../../../contract/errors.ts'
import type { SimilarHit, SimilarRequest, SimilarResult } from '../../../contract/explanations.ts'
import { firstRow, sourceOfRow } from '../rowids.ts'
import { type RowRange, readFilter } from '../search/row-filter.ts'
import { type Cancelled, throwIfCancelled } from '../search/text-walk.ts'

/** Embeddings compared between two looks at whether the asker is still there. */
const rowsAtOnce = 20_000
/** Nearest ones by float32 that are compared in double precision, beyond those asked for. */
const margin = 32
/** Explanations of one feature that are asked for at once. */
const mostQueries = 16

const askedRow = z.object({
  row: z.number(),
  id: z.string().nullable(),
  description: z.string(),
  explainer: z.string().nullable(),
  type: z.string().nullable(),
  author: z.string().nullable(),
  vector: z.instanceof(Uint8Array).nullable()
})
const hitRow = z.object({
  id: z.string().nullable(),
  model: z.string(),
  layer: z.string(),
  index: z.number(),
  description: z.string(),
  explainer: z.string().nullable(),
  type: z.string().nullable(),
  vector: z.instanceof(Uint8Array)
})

interface Near {
  readonly row: number
  readonly distance: number
}

/** Float32 numbers that lie anywhere in memory. */
function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer)
}

/** Cosine in double precision. */
function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aSquares, bSquares] = [0, 0, 0]
  for (let at = 0; at < a.length; at++) {
    const [x, y] = [a[at] ?? 0, b[at] ?? 0]
    dot += x * y
    aSquares += x * x
    bSquares += y * y
  }
  return dot / Math.sqrt(aSquares * bSquares)
}

export class SimilarSearch {
  readonly #database: Database
  readonly #asked: Statement<[string, string, number]>
  readonly #hit: Statement<[number]>
  readonly #lastRow: Statement<[number, number]>
  #hasExtension = false

  constructor(database: Database) {
    this.#database = database
    this.#asked = database.prepare(
      `SELECT e.rowid AS row, e.external_id AS id, e.description, x.name AS explainer, t.name AS type, a.name AS author, v.vector
       FROM sources s JOIN explanations e ON e.source = s.id LEFT JOIN embeddings v ON v.row = e.rowid
       LEFT JOIN explainers x ON x.id = e.explainer LEFT JOIN types t ON t.id = e.type LEFT JOIN authors a ON a.id = e.author
       WHERE s.model = ? AND s.layer = ? AND e.feature = ? ORDER BY e.rowid`
    )
    this.#hit = database.prepare(
      `SELECT e.external_id AS id, s.model, s.layer, e.feature AS "index", e.description, x.name AS explainer, t.name AS type, v.vector
       FROM embeddings v JOIN explanations e ON e.rowid = v.row JOIN sources s ON s.id = e.source
       LEFT JOIN explainers x ON x.id = e.explainer LEFT JOIN types t ON t.id = e.type WHERE v.row = CAST(? AS INTEGER)`
    )
    this.#lastRow = database
      .prepare<[number, number]>('SELECT max(row) FROM embeddings WHERE row >= CAST(? AS INTEGER) AND row < CAST(? AS INTEGER)')
      .pluck()
  }

  #loadExtension(): void {
    if (this.#hasExtension) return
    try {
      this.#database.loadExtension(getLoadablePath())
    } catch (thrown) {
      throw new SpliceError('similar/unsupported', `similar explanations cannot be found on ${process.platform} ${process.arch}`, {
        hint: 'sqlite-vec has no library for this machine, or it was not installed: npm ci installs it where there is one.',
        mistake: false,
        cause: thrown
      })
    }
    this.#hasExtension = true
  }

  /** Throws `similar/unknown`, `similar/no-embeddings`, `similar/unsupported`, `search/cancelled`. */
  run(request: SimilarRequest, cancelled: Cancelled): SimilarResult {
    const started = performance.now()
    const { own, asked } = this.#read(request)
    const queries = asked.slice(0, mostQueries).flatMap(({ vector }) => (vector === null ? [] : [floats(vector)]))
    this.#loadExtension()
    const { near, compared } = this.#nearest(queries, readFilter(this.#database, request.within).ranges, request.limit, own, cancelled)
    const hits = near.flatMap(({ row }) => this.#describe(row, queries)).sort((a, b) => b.similarity - a.similarity)
    return {
      of: asked.map(({ row, vector: _, id, ...rest }) => ({ id: id ?? `row-${row}`, ...rest })),
      hits: hits.slice(0, request.limit),
      compared,
      milliseconds: performance.now() - started
    }
  }

  /** The feature's rows, and those of them to be compared with. */
  #read({ source, index, explanation }: SimilarRequest) {
    const slash = source.indexOf('/')
    const rows = this.#asked.all(source.slice(0, slash), source.slice(slash + 1), index).map(raw => askedRow.parse(raw))
    const named = rows.filter(({ row, id }) => explanation === undefined || (id ?? `row-${row}`) === explanation)
    if (named.length === 0) {
      const what = explanation === undefined ? 'explanation' : `explanation ${explanation}`
      throw new SpliceError('similar/unknown', `the mirror has no ${what} of ${source}/${index}`, {
        field: explanation === undefined ? 'index' : 'explanation',
        hint: 'Check the source and the feature; splice sources lists the sources.'
      })
    }
    const asked = named.filter(({ vector }) => vector !== null)
    if (asked.length === 0) {
      throw new SpliceError('similar/no-embeddings', `the mirror has no embeddings of the explanations of ${source}/${index}`, {
        field: 'source',
        hint: 'Import its files again with --embeddings; exports do not have any.'
      })
    }
    return { own: new Set(rows.map(({ row }) => row)), asked }
  }

  #nearest(
    queries: readonly Float32Array[],
    ranges: readonly RowRange[],
    limit: number,
    own: ReadonlySet<number>,
    cancelled: Cancelled
  ): { near: Near[]; compared: number } {
    const distances = queries.map(() => 'vec_distance_cosine(vector, ?)')
    const distance = distances.length === 1 ? distances[0] : `min(${distances.join(', ')})`
    const slice = this.#database.prepare<unknown[], Near>(
      `SELECT row, ${distance} AS distance FROM embeddings
       WHERE row >= CAST(? AS INTEGER) AND row < CAST(? AS INTEGER) ORDER BY distance, row LIMIT ?`
    )
    const size = this.#database
      .prepare<[number, number]>('SELECT count(*) FROM embeddings WHERE row >= CAST(? AS INTEGER) AND row < CAST(? AS INTEGER)')
      .pluck()
    const vectors = queries.map(query => new Uint8Array(query.buffer))
    const wanted = limit + margin
    let near: Near[] = []
    let compared = 0
    for (const { first, end } of this.#windows(ranges)) {
      throwIfCancelled(cancelled)
      const found = slice.all(...vectors, first, end, wanted + own.size).filter(({ row }) => !own.has(row))
      compared += Number(size.get(first, end))
      near = [...near, ...found].sort((a, b) => a.distance - b.distance || a.row - b.row).slice(0, wanted)
    }
    return { near, compared }
  }

  /** Ranges of rows that hold embeddings, each of no more than `rowsAtOnce`: the rows of a source follow each other. */
  *#windows(ranges: readonly RowRange[]): Generator<RowRange, void> {
    const sources = this.#database.prepare('SELECT id FROM sources ORDER BY id').pluck().all().map(Number)
    for (const source of sources) {
      const start = firstRow(source)
      if (!ranges.some(({ first, end }) => first <= start && start < end)) continue
      const last = this.#lastRow.get(start, firstRow(source + 1))
      if (typeof last !== 'number' || sourceOfRow(last) !== source) continue
      for (let first = start; first <= last; first += rowsAtOnce) yield { first, end: Math.min(last + 1, first + rowsAtOnce) }
    }
  }

  #describe(row: number, queries: readonly Float32Array[]): SimilarHit[] {
    const raw = this.#hit.get(row)
    if (raw === undefined) return []
    const { id, vector, ...hit } = hitRow.parse(raw)
    const own = floats(vector)
    return [{ id: id ?? `row-${row}`, ...hit, similarity: Math.max(...queries.map(query => cosine(query, own))) }]
  }
}
