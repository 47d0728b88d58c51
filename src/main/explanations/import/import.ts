/**
 * Imports files into the mirror: parsers read them in threads of their own, this thread writes what they hand over, in
 * transactions that also say how far each file is. So an import can end anywhere: what was written is whole, and the next import
 * of the same files goes on from there.
 */
import fs from 'node:fs'
import os from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Database } from 'better-sqlite3'
import { z } from 'zod'
import { errorData, SpliceError } from '../../../contract/errors.ts'
import type { ImportProgress, ImportSummary } from '../../../contract/explanations.ts'
import { settleIndex } from '../search/text-index.ts'
import { keepSummaries } from '../source-summaries.ts'
import { threadEntry } from '../thread-entry.ts'
import { type ImportFile, listFiles } from './import-files.ts'
import { batchMessage, type ParsedBatch } from './parsed-batch.ts'
import { RowWriter } from './row-writer.ts'

/** Rows of one transaction: more make fewer, larger pieces of index. */
const rowsPerTransaction = 20_000
/** And how long one may gather them, in ms. */
const longestGathering = 250
/** Memory for pages that a transaction changes, in kB. */
const cacheKilobytes = 64_000

export interface ImportOptions {
  onProgress(progress: ImportProgress): void
  isCancelled(): boolean
}

const fromParser = z.discriminatedUnion('type', [batchMessage, z.object({ type: z.literal('error'), error: errorData })])

/** Rows that could not be imported, kept beside the mirror with file, line and reason. */
class Rejects {
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

  get file(): string | null {
    return this.count === 0 ? null : this.#file
  }
}

const importRow = z.object({ bytes: z.number(), modified: z.number(), rows: z.number(), rejected: z.number(), isWhole: z.number() })

/** What the mirror remembers of files. */
class ImportLog {
  readonly #find
  readonly #write
  readonly #writeSource

  constructor(database: Database) {
    this.#find = database.prepare<[string]>('SELECT bytes, modified, rows, rejected, is_whole AS isWhole FROM imports WHERE file = ?')
    this.#write = database
      .prepare<[string, number, number, number, number, number, number]>(
        `INSERT INTO imports (file, bytes, modified, rows, rejected, is_whole, at) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (file) DO UPDATE SET bytes = excluded.bytes, modified = excluded.modified, rows = excluded.rows,
           rejected = excluded.rejected, is_whole = excluded.is_whole, at = excluded.at
         RETURNING id`
      )
      .pluck()
    this.#writeSource = database.prepare<[number, number]>('INSERT OR IGNORE INTO import_sources (import, source) VALUES (?, ?)')
  }

  /** How far a file was read, where it is the same file. */
  find(file: ImportFile): { rows: number; rejected: number; isWhole: boolean } | null {
    const found = this.#find.get(file.path)
    if (found === undefined) return null
    const { bytes, modified, rows, rejected, isWhole } = importRow.parse(found)
    return bytes === file.bytes && modified === file.modified ? { rows, rejected, isWhole: isWhole === 1 } : null
  }

  write(file: ImportFile, progress: { rows: number; rejected: number; isWhole: boolean }, sources: readonly number[]): void {
    const { path, bytes, modified } = file
    const id = Number(this.#write.get(path, bytes, modified, progress.rows, progress.rejected, progress.isWhole ? 1 : 0, Date.now()))
    for (const source of sources) this.#writeSource.run(id, source)
  }
}

/** How far one file is. */
interface FileProgress {
  readonly file: ImportFile
  rows: number
  rejected: number
  bytesRead: number
}

class Import {
  readonly #database: Database
  readonly #options: ImportOptions
  readonly #files: FileProgress[]
  readonly #log: ImportLog
  readonly #writer: RowWriter
  readonly #rejects: Rejects
  readonly #started = performance.now()
  readonly #allBytes: number
  readonly #touched = new Set<number>()
  #gathered: ParsedBatch[] = []
  #gatheredRows = 0
  #gatheredSince = performance.now()
  imported = 0
  skipped = 0
  /** Rows of this run, without those that were behind when it began. */
  #handled = 0

  constructor(database: Database, databaseFile: string, files: readonly ImportFile[], options: ImportOptions) {
    this.#database = database
    this.#options = options
    this.#files = files.map(file => ({ file, rows: 0, rejected: 0, bytesRead: 0 }))
    this.#allBytes = files.reduce((sum, file) => sum + file.bytes, 0)
    this.#log = new ImportLog(database)
    this.#writer = new RowWriter(database)
    this.#rejects = new Rejects(databaseFile)
  }

  get result(): { result: ImportSummary; rejectsFile: string | null } {
    const seconds = (performance.now() - this.#started) / 1000
    return {
      result: { imported: this.imported, skipped: this.skipped, rejected: this.#rejects.count, seconds },
      rejectsFile: this.#rejects.file
    }
  }

  /** Files still to be read, with how many of their rows to pass over. Whole ones without rejects are not read again. */
  plan(): { place: number; skip: number }[] {
    return this.#files.flatMap((progress, place) => {
      const before = this.#log.find(progress.file)
      if (before === null || (before.isWhole && before.rejected > 0)) return [{ place, skip: 0 }]
      this.skipped += before.rows - before.rejected
      progress.rows = before.rows
      progress.rejected = before.rejected
      if (!before.isWhole) return [{ place, skip: before.rows }]
      progress.bytesRead = progress.file.bytes
      return []
    })
  }

  fileAt(place: number): ImportFile {
    const progress = this.#files[place]
    if (progress === undefined) throw new Error(`there is no file ${place}`)
    return progress.file
  }

  /** Takes in a batch, and writes when enough is gathered. Throws `import/cancelled` between transactions. */
  take(batch: ParsedBatch): void {
    this.#gathered.push(batch)
    this.#gatheredRows += batch.explanations.length + batch.features.length + batch.examples.length + batch.rejects.length
    const isLong = performance.now() - this.#gatheredSince > longestGathering
    if (this.#gatheredRows >= rowsPerTransaction || isLong) this.flush()
  }

  flush(): void {
    if (this.#options.isCancelled()) {
      throw new SpliceError('import/cancelled', `the import was cancelled; ${this.imported} rows are in the mirror`, {
        hint: 'Import the same files again to go on.'
      })
    }
    const batches = this.#gathered
    this.#gathered = []
    this.#gatheredRows = 0
    try {
      this.#database.transaction(() => this.#write(batches)).immediate()
    } catch (thrown) {
      this.#writer.forget()
      throw thrown
    }
    this.#gatheredSince = performance.now()
    this.#report(batches.at(-1))
  }

  #write(batches: readonly ParsedBatch[]): void {
    this.#writer.start()
    for (const [place, ofFile] of Map.groupBy(batches, batch => batch.file)) {
      const progress = this.#files[place]
      const last = ofFile.at(-1)
      if (progress === undefined || last === undefined) continue
      const rejects = ofFile.flatMap(batch => batch.rejects)
      progress.rows = last.rows
      progress.rejected += rejects.length
      progress.bytesRead = last.bytesRead
      this.#handled += rejects.length
      this.#rejects.add(progress.file.path, rejects)
      const sources = ofFile.flatMap(batch => batch.sources.map(({ model, layer }) => this.#writer.source(model, layer)))
      for (const source of sources) this.#touched.add(source)
      this.#log.write(progress.file, { ...progress, isWhole: last.isLast }, sources)
    }
    for (const { added, known } of this.#writer.write(batches)) {
      this.imported += added
      this.skipped += known
      this.#handled += added + known
    }
  }

  /** Writes what the sources of this import hold now, and lets the index settle. */
  summarize(): void {
    this.#database.transaction(() => keepSummaries(this.#database, this.#touched)).immediate()
    settleIndex(this.#database)
  }

  #report(last: ParsedBatch | undefined): void {
    const bytes = this.#files.reduce((sum, { bytesRead }) => sum + bytesRead, 0)
    const fraction = this.#allBytes === 0 ? 1 : Math.min(1, bytes / this.#allBytes)
    const seconds = (performance.now() - this.#started) / 1000
    this.#options.onProgress({
      file: last === undefined ? '' : this.fileAt(last.file).path,
      rows: this.imported + this.skipped + this.#rejects.count,
      fraction,
      rowsPerSecond: this.#handled / seconds,
      secondsLeft: fraction === 0 ? null : (seconds / fraction) * (1 - fraction)
    })
  }
}

/** Parsers at work: as many as help, and no more than there are files. */
class Parsers {
  readonly #workers: Worker[]
  readonly #queue: { place: number; skip: number }[]
  readonly #import: Import

  constructor(work: Import, queue: { place: number; skip: number }[]) {
    this.#import = work
    this.#queue = queue
    const count = Math.min(queue.length, Math.max(1, Math.min(4, os.availableParallelism() - 1)))
    this.#workers = Array.from({ length: count }, () => new Worker(threadEntry('mirror-parser')))
  }

  /** Reads all files of the queue. Throws what a parser or the writer throws. */
  run(): Promise<void> {
    let open = this.#workers.length
    let hasFailed = false
    return new Promise((resolve, reject) => {
      for (const worker of this.#workers) {
        worker.on('error', reject)
        worker.on('message', raw => {
          if (hasFailed) return
          try {
            const message = fromParser.parse(raw)
            if (message.type === 'error') throw SpliceError.fromData(message.error)
            this.#import.take(message.batch)
            worker.postMessage({ type: 'taken' })
            if (!message.batch.isLast || this.#next(worker)) return
            open -= 1
            if (open === 0) resolve()
          } catch (thrown) {
            hasFailed = true
            reject(thrown)
          }
        })
        this.#next(worker)
      }
    })
  }

  #next(worker: Worker): boolean {
    const next = this.#queue.shift()
    if (next === undefined) return false
    worker.postMessage({ type: 'parse', file: next.place, source: this.#import.fileAt(next.place), skip: next.skip })
    return true
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.terminate()))
  }
}

/**
 * Imports files and folders. Throws `import/...` for paths that hold nothing importable, `import/cancelled` when it was
 * cancelled (what was written before stays), and SQLite's own errors.
 */
export async function importFiles(
  database: Database,
  databaseFile: string,
  paths: readonly string[],
  options: ImportOptions
): Promise<{ result: ImportSummary; rejectsFile: string | null }> {
  database.pragma(`cache_size = -${cacheKilobytes}`)
  const work = new Import(database, databaseFile, listFiles(paths), options)
  const queue = work.plan()
  if (queue.length > 0) {
    const parsers = new Parsers(work, queue)
    try {
      await parsers.run()
    } finally {
      await parsers.close()
    }
  }
  work.flush()
  work.summarize()
  return work.result
}
