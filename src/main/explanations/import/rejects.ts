/** Rows that could not be imported, kept in a file beside the mirror with file, line and reason. */
import fs from 'node:fs'
import path from 'node:path'
import readline from 'node:readline'
import { z } from 'zod'
import { SpliceError } from '../../../contract/errors.ts'
import type { RejectedRows } from '../../../contract/explanations.ts'
import type { ParsedBatch } from './parsed-batch.ts'

const rejectedRow = z.object({ file: z.string(), line: z.int(), reason: z.string() })

/** The first rows of a rejects file of a mirror; no other file is read. Throws `rejects/none`, `rejects/unreadable`. */
export async function readRejects(databaseFile: string, file: string, limit: number): Promise<RejectedRows> {
  const given = path.resolve(file)
  const isOurs =
    given.startsWith(`${path.resolve(databaseFile)}.rejects-`) && path.dirname(given) === path.dirname(path.resolve(databaseFile))
  if (!isOurs || !fs.existsSync(given)) {
    throw new SpliceError('rejects/none', `${file} is no rejects file of this mirror`, {
      file,
      hint: 'Import once more to have one written.'
    })
  }
  const rows: RejectedRows['rows'] = []
  const input = fs.createReadStream(given)
  try {
    for await (const line of readline.createInterface({ input })) {
      if (rows.length === limit) return { rows, more: true }
      rows.push(rejectedRow.parse(JSON.parse(line)))
    }
    return { rows, more: false }
  } catch (thrown) {
    throw new SpliceError('rejects/unreadable', `${file} cannot be read as rejected rows`, {
      file,
      hint: 'It was changed since; look at it in an editor.',
      cause: thrown
    })
  } finally {
    input.destroy()
  }
}

/** Most rows that the file holds; a small file can unpack to billions. */
const mostKept = 200_000

export class Rejects {
  readonly #file: string
  #kept = 0
  count = 0

  constructor(databaseFile: string) {
    this.#file = `${databaseFile}.rejects-${new Date().toISOString().replaceAll(':', '-')}.jsonl`
  }

  add(file: string, rejects: ParsedBatch['rejects']): void {
    if (rejects.length === 0) return
    this.count += rejects.length
    const kept = rejects.slice(0, mostKept - this.#kept)
    this.#kept += kept.length
    if (kept.length === 0) return
    fs.appendFileSync(this.#file, kept.map(({ line, reason }) => `${JSON.stringify({ file, line, reason })}\n`).join(''))
  }

  /** The file; null while nothing was rejected. */
  get file(): string | null {
    return this.count === 0 ? null : this.#file
  }
}
