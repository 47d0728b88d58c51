/**
 * What went wrong lately, a line of JSON each, in `troubles.jsonl` of the home: for diagnostics that a person reads and may share. Nothing else
 * reads it. Lines name no folders. A log that cannot be written stops nothing.
 */
import fs from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import { withoutOwner } from './owner.ts'

const trouble = z.object({ at: z.string(), kind: z.string(), message: z.string() })
export type Trouble = z.infer<typeof trouble>

/** Above this size, in bytes, the older half goes. */
const largest = 256_000
const longestMessage = 500

export class TroubleLog {
  readonly #file: string
  readonly #home: string

  constructor(home: string) {
    this.#home = home
    this.#file = path.join(home, 'troubles.jsonl')
  }

  /** Writes one down. What somebody cancelled is none. */
  note({ kind, message, file }: { readonly kind: string; readonly message: string; readonly file?: string | undefined }): void {
    if (kind.endsWith('/cancelled')) return
    const short = file === undefined ? message : message.replaceAll(file, path.basename(file))
    const line: Trouble = {
      at: new Date().toISOString(),
      kind,
      message: withoutOwner(short, [this.#home]).slice(0, longestMessage)
    }
    try {
      fs.appendFileSync(this.#file, `${JSON.stringify(line)}\n`)
      if (fs.statSync(this.#file).size > largest) this.#shorten()
    } catch {
      // A disk that is full or read-only is told by whoever needs it.
    }
  }

  #shorten(): void {
    const lines = fs.readFileSync(this.#file, 'utf8').split('\n')
    const part = `${this.#file}.${process.pid}.part`
    fs.writeFileSync(part, lines.slice(lines.length / 2).join('\n'))
    fs.renameSync(part, this.#file)
  }

  /** The last ones, oldest first. */
  recent(count: number): Trouble[] {
    let text: string
    try {
      text = fs.readFileSync(this.#file, 'utf8')
    } catch {
      return []
    }
    const read = text.split('\n').flatMap(line => {
      if (line === '') return []
      try {
        const parsed = trouble.safeParse(JSON.parse(line))
        return parsed.success ? [parsed.data] : []
      } catch {
        // Cut off by the end of its process.
        return []
      }
    })
    return read.slice(-count)
  }
}
