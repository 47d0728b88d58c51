/** What the mirror remembers of the files that were imported: how far each one was read, and which sources it brought rows of. */
import type { Database } from 'better-sqlite3'
import { z } from 'zod'
import type { ImportFile } from './import-files.ts'

const importRow = z.object({
  bytes: z.number(),
  version: z.string(),
  rows: z.number(),
  rejected: z.number(),
  isWhole: z.number(),
  withEmbeddings: z.number()
})

/** How far a file was read: rows that are behind, those among them that were rejected, and whether it was all of it. */
export interface ReadSoFar {
  readonly rows: number
  readonly rejected: number
  readonly isWhole: boolean
  readonly withEmbeddings: boolean
}

export class ImportLog {
  readonly #find
  readonly #write
  readonly #writeSource

  constructor(database: Database) {
    this.#find = database.prepare<[string]>(
      'SELECT bytes, version, rows, rejected, is_whole AS isWhole, with_embeddings AS withEmbeddings FROM imports WHERE file = ?'
    )
    this.#write = database
      .prepare<[string, number, string, number, number, number, number, number]>(
        `INSERT INTO imports (file, bytes, version, rows, rejected, is_whole, with_embeddings, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (file) DO UPDATE SET bytes = excluded.bytes, version = excluded.version, rows = excluded.rows,
           rejected = excluded.rejected, is_whole = excluded.is_whole, with_embeddings = excluded.with_embeddings, at = excluded.at
         RETURNING id`
      )
      .pluck()
    this.#writeSource = database.prepare<[number, number]>('INSERT OR IGNORE INTO import_sources (import, source) VALUES (?, ?)')
  }

  /** How far a file was read, where it is the same file. */
  find({ name, bytes, version }: Pick<ImportFile, 'name' | 'bytes' | 'version'>): ReadSoFar | null {
    const found = this.#find.get(name)
    if (found === undefined) return null
    const known = importRow.parse(found)
    if (known.bytes !== bytes || known.version !== version) return null
    return { rows: known.rows, rejected: known.rejected, isWhole: known.isWhole === 1, withEmbeddings: known.withEmbeddings === 1 }
  }

  /** Remembers, in the transaction that writes the rows, how far a file is read. */
  write({ name, bytes, version }: ImportFile, { rows, rejected, isWhole, withEmbeddings }: ReadSoFar, sources: Iterable<number>): void {
    const id = Number(this.#write.get(name, bytes, version, rows, rejected, isWhole ? 1 : 0, withEmbeddings ? 1 : 0, Date.now()))
    for (const source of sources) this.#writeSource.run(id, source)
  }
}

/** Whether a file was read to its end, with what is wanted of it. */
export function isReadWhole(before: ReadSoFar | null, withEmbeddings: boolean): boolean {
  return before?.isWhole === true && (before.withEmbeddings || !withEmbeddings)
}

/** Whether nothing is to be had from reading it again: then no row was rejected either, of which an import would tell again. */
export function isDoneWith(before: ReadSoFar | null, withEmbeddings: boolean): boolean {
  return isReadWhole(before, withEmbeddings) && before?.rejected === 0
}
