/** A copy of a database beside it, renewed now and then while it is written to: what a broken file is restored from. */
import fs from 'node:fs'
import path from 'node:path'
import Sqlite, { type Database } from 'better-sqlite3'

/** How old the copy may get while a file of so many bytes changes, in ms: copying takes a small share of the time. */
function renewAfter(bytes: number): number {
  return Math.min(10 * 60_000, Math.max(2000, bytes / 500))
}
/** Pages copied between two turns of the event loop. */
const pagesAtOnce = 200
/** A copy above this size, in bytes, is looked at less closely: a whole check would hold up its process. */
const closelyChecked = 256e6

/** Where the copy of a file lies. */
export function backupOf(file: string): string {
  return `${file}.backup`
}

/** Whether a file is a whole database; a large one is only opened and its tables are read. */
export function isWhole(file: string, applicationId: number): boolean {
  let database: Database | null = null
  try {
    database = new Sqlite(file, { fileMustExist: true })
    if (Number(database.pragma('application_id', { simple: true })) !== applicationId) return false
    if (fs.statSync(file).size > closelyChecked) return Number(database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get()) > 0
    return database.pragma('quick_check(1)', { simple: true }) === 'ok'
  } catch {
    return false
  } finally {
    database?.close()
  }
}

export class Backups {
  readonly #file: string
  readonly #applicationId: number
  readonly #onFailure: (thrown: unknown) => void
  /** When the last one was made or tried, by the clock that nobody sets. */
  #lastAt = Number.NEGATIVE_INFINITY
  #waiting: NodeJS.Timeout | null = null
  #making: Promise<void> = Promise.resolve()

  /** `onFailure` hears why a copy could not be made; the one before stays. */
  constructor(file: string, applicationId: number, onFailure: (thrown: unknown) => void) {
    this.#file = file
    this.#applicationId = applicationId
    this.#onFailure = onFailure
  }

  /** To be called after a change of the file, which `database` has open: renews the copy in the background, at once or when it has become old. */
  afterChange(database: Database): void {
    if (this.#waiting !== null) return
    const bytes = fs.statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0
    const due = this.#lastAt + renewAfter(bytes) - performance.now()
    this.#waiting = setTimeout(
      () => {
        this.#waiting = null
        this.#lastAt = performance.now()
        this.#making = this.#making.then(() => (database.open ? this.#make(database) : undefined)).catch(this.#onFailure)
      },
      Math.max(0, due)
    )
    this.#waiting.unref()
  }

  /** A copy of a broken file must not take the place of a good one. */
  async #make(database: Database): Promise<void> {
    const target = backupOf(this.#file)
    const partial = `${target}.${process.pid}.part`
    try {
      const room = fs.statfsSync(path.dirname(this.#file))
      const bytes = fs.statSync(this.#file).size
      if (room.bavail * room.bsize < 2 * bytes) throw new Error(`there is no room for a copy of ${bytes} bytes`)
      await database.backup(partial, { progress: () => pagesAtOnce })
      if (!isWhole(partial, this.#applicationId)) throw new Error('the copy is not whole')
      fs.renameSync(partial, target)
    } finally {
      for (const end of ['', '-wal', '-shm', '-journal']) fs.rmSync(`${partial}${end}`, { force: true })
    }
  }

  /** Settles when no copy is being made; none is begun any more before the next change. */
  settled(): Promise<void> {
    if (this.#waiting !== null) clearTimeout(this.#waiting)
    this.#waiting = null
    return this.#making
  }
}
