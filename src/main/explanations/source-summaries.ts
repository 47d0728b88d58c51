/**
 * What each source holds. It is counted once after an import and kept, so that a list of thousands of sources comes at once; a
 * source that is being written to has no summary and is counted when someone asks.
 */
import type { Database, Statement } from 'better-sqlite3'
import { z } from 'zod'
import { firstRow } from './rowids.ts'

const summary = z.object({
  explanations: z.number(),
  /** Distinct features with an explanation. */
  features: z.number(),
  /** Features with statistics. */
  statistics: z.number(),
  /** Explanations with an embedding. */
  embeddings: z.number(),
  /** JSON array of names, in their order. */
  explainers: z.string(),
  /** About how much of the file it takes. */
  bytes: z.number()
})
export type StoredSummary = z.infer<typeof summary>

/** Bytes of a row beside its text: names, numbers, its place in the indexes. */
const bytesPerRow = 110

/** Bytes of an embedding: three to a page. */
const bytesPerEmbedding = 1365

const rangeOf = (row: string) => `${row} >= CAST(@first AS INTEGER) AND ${row} < CAST(@end AS INTEGER)`
const range = rangeOf('e.rowid')

export class SourceSummaries {
  readonly #count: Statement

  constructor(database: Database) {
    this.#count = database.prepare(
      `SELECT count(*) AS explanations, count(DISTINCT e.feature) AS features,
         (SELECT count(*) FROM feature_statistics WHERE source = @id) AS statistics,
         (SELECT count(*) FROM embeddings v WHERE ${rangeOf('v.row')}) AS embeddings,
         (SELECT json_group_array(name) FROM (SELECT DISTINCT x.name FROM explanations e JOIN explainers x ON x.id = e.explainer WHERE ${range} ORDER BY x.name)) AS explainers,
         ifnull(sum(length(CAST(e.description AS BLOB))), 0) + count(*) * ${bytesPerRow}
           + ifnull((SELECT sum(length(details)) FROM feature_statistics WHERE source = @id), 0)
           + ifnull((SELECT sum(length(examples)) FROM feature_examples WHERE source = @id), 0)
           + (SELECT count(*) FROM embeddings v WHERE ${rangeOf('v.row')}) * ${bytesPerEmbedding} AS bytes
       FROM explanations e WHERE ${range}`
    )
  }

  /** Counts a source's rows as they are now. */
  count(id: number): StoredSummary {
    return summary.parse(this.#count.get({ id, first: firstRow(id), end: firstRow(id + 1) }))
  }
}

/** Counts sources and keeps what they hold. */
export function keepSummaries(database: Database, sources: Iterable<number>): void {
  const summaries = new SourceSummaries(database)
  const keep = database.prepare(
    `INSERT OR REPLACE INTO source_summaries (source, explanations, features, statistics, embeddings, explainers, bytes)
     VALUES (@id, @explanations, @features, @statistics, @embeddings, @explainers, @bytes)`
  )
  for (const id of sources) keep.run({ id, ...summaries.count(id) })
}
