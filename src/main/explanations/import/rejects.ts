/** Rows that could not be imported, kept in a file beside the mirror with file, line and reason. */
import fs from 'node:fs'
import type { ParsedBatch } from './parsed-batch.ts'

export class Rejects {
  readonly #file: string
  count = 0

  constructor(databaseFile: string) {
    this.#file = `${databaseFile}.rejects-${new Date().toISOString().replaceAll(':', '-')}.jsonl`
  }

  add(file: string, rejects: ParsedBatch['rejects']): void {
    if (rejects.length === 0) return
    this.count += rejects.length
    fs.appendFileSync(this.#file, rejects.map(({ line, reason }) => `${JSON.stringify({ file, line, reason })}\n`).join(''))
  }

  /** The file; null while nothing was rejected. */
  get file(): string | null {
    return this.count === 0 ? null : this.#file
  }
}
