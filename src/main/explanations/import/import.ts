/**
 * Imports files into the mirror: parsers read them in threads of their own, this thread writes what they hand over, in
 * transactions that also say how far each file is. So an import can end anywhere: what was written is whole, and the next import
 * of the same files goes on from there.
 */
import os from 'node:os'
import type { Database } from 'better-sqlite3'
import { SpliceError } from '../../../contract/errors.ts'
import type { ImportProgress, ImportSummary } from '../../../contract/explanations.ts'
import { settleIndex } from '../search/text-index.ts'
import { keepSummaries } from '../source-summaries.ts'
import { type ImportFeed, type ImportFile, listFiles } from './import-files.ts'
import { ImportLog, isDoneWith } from './import-log.ts'
import type { ParsedBatch } from './parsed-batch.ts'
import { ParserThread } from './parser-thread.ts'
import { Rejects } from './rejects.ts'
import { RowWriter } from './row-writer.ts'

/** Rows of one transaction: more make fewer, larger pieces of index. */
const rowsPerTransaction = 20_000
/** And how long one may gather them, in ms. */
const longestGathering = 1000
/** Memory for pages that a transaction changes, in kB. */
const cacheKilobytes = 64_000
/** Pages written before they are moved from the log into the file; a page that changes often moves once. */
const pagesInLog = 4000
/** Sources that were written to before they are counted; the ones written last come again. */
const mostUncounted = 50

export interface ImportOptions {
  /** Whether the files' embeddings are kept too. */
  readonly withEmbeddings: boolean
  onProgress(progress: ImportProgress): void
  /** When all of a file is in the mirror, or was before. */
  onFile?(file: ImportFile, rows: { rows: number; rejected: number }): void
  isCancelled(): boolean
}

/** How far one file is. */
interface FileProgress {
  readonly file: ImportFile
  /** Whether every row behind was read with its embedding. */
  withEmbeddings: boolean
  rows: number
  rejected: number
  bytesRead: number
}

interface GatheredBatch {
  readonly progress: FileProgress
  readonly batch: ParsedBatch
}

class Import {
  readonly #database: Database
  readonly #options: ImportOptions
  readonly #log: ImportLog
  readonly #writer: RowWriter
  readonly #rejects: Rejects
  readonly #started = performance.now()
  /** Sources in the order in which they were last written to. */
  readonly #uncounted = new Set<number>()
  readonly #allBytes: number
  #bytesRead = 0
  #gathered: GatheredBatch[] = []
  #gatheredRows = 0
  #gatheredSince = performance.now()
  #imported = 0
  #skipped = 0
  #embeddings = 0
  /** Rows of this run, without those that were behind when it began. */
  #handled = 0

  /** `allBytes` are those of all files, as they lie on disk. */
  constructor(database: Database, databaseFile: string, allBytes: number, options: ImportOptions) {
    this.#database = database
    this.#options = options
    this.#allBytes = allBytes
    this.#log = new ImportLog(database)
    this.#writer = new RowWriter(database)
    this.#rejects = new Rejects(databaseFile)
  }

  /** What became of rows so far. */
  get summary(): ImportSummary {
    return {
      imported: this.#imported,
      skipped: this.#skipped,
      rejected: this.#rejects.count,
      embeddings: this.#embeddings,
      seconds: (performance.now() - this.#started) / 1000
    }
  }

  get result(): { result: ImportSummary; rejectsFile: string | null } {
    return { result: this.summary, rejectsFile: this.#rejects.file }
  }

  /** Begins a file; null where all of it is in the mirror already. Its rows in the mirror are passed over. */
  begin(file: ImportFile): FileProgress | null {
    const { withEmbeddings } = this.#options
    const before = this.#log.find(file)
    const progress: FileProgress = { file, withEmbeddings, rows: 0, rejected: 0, bytesRead: 0 }
    if (before === null || (!before.withEmbeddings && withEmbeddings)) return progress
    if (isDoneWith(before, withEmbeddings)) {
      this.#skipped += before.rows
      this.#bytesRead += file.bytes
      this.#options.onFile?.(file, before)
      return null
    }
    if (before.isWhole) return progress
    this.#skipped += before.rows - before.rejected
    progress.rows = before.rows
    progress.rejected = before.rejected
    progress.withEmbeddings = withEmbeddings && before.withEmbeddings
    return progress
  }

  /** Takes in a batch, and writes when enough is gathered. Throws `import/cancelled` between transactions. */
  take(progress: FileProgress, batch: ParsedBatch): void {
    if (this.#gathered.length === 0) this.#gatheredSince = performance.now()
    this.#gathered.push({ progress, batch })
    this.#gatheredRows += batch.explanations.length + batch.features.length + batch.examples.length + batch.rejects.length
    const isLong = performance.now() - this.#gatheredSince > longestGathering
    if (this.#gatheredRows >= rowsPerTransaction || isLong) this.flush()
  }

  /** Writes what is gathered. Throws `import/cancelled`. */
  flush(): void {
    if (this.#options.isCancelled()) {
      throw new SpliceError('import/cancelled', `the import was cancelled; ${this.#imported} rows are in the mirror`, {
        hint: 'Import the same files again to go on.'
      })
    }
    const gathered = this.#gathered
    this.#gathered = []
    this.#gatheredRows = 0
    if (gathered.length > 0) {
      try {
        this.#database.transaction(() => this.#write(gathered)).immediate()
      } catch (thrown) {
        this.#writer.forget()
        throw thrown
      }
      for (const { progress, batch } of gathered) if (batch.isLast) this.#options.onFile?.(progress.file, progress)
      this.#count(mostUncounted)
    }
    this.#report(gathered.at(-1)?.progress.file.name ?? '')
  }

  #write(gathered: readonly GatheredBatch[]): void {
    this.#writer.start()
    const sourcesOf = gathered.map(({ batch }) => batch.sources.map(({ model, layer }) => this.#writer.source(model, layer)))
    for (const [at, { progress, batch }] of gathered.entries()) {
      if (progress.rows > 0 && this.#log.find(progress.file) === null) {
        throw new SpliceError('import/removed', `a source of ${progress.file.name} was removed while it was imported`, {
          file: progress.file.name,
          hint: 'Import it again to have it back.'
        })
      }
      progress.rows = batch.rows
      progress.rejected += batch.rejects.length
      this.#bytesRead += batch.bytesRead - progress.bytesRead
      progress.bytesRead = batch.bytesRead
      this.#handled += batch.rejects.length
      this.#rejects.add(progress.file.name, batch.rejects)
      this.#log.write(progress.file, { ...progress, isWhole: batch.isLast }, sourcesOf[at] ?? [])
    }
    for (const source of sourcesOf.flat()) {
      this.#uncounted.delete(source)
      this.#uncounted.add(source)
    }
    for (const { added, known, embeddings } of this.#writer.write(gathered.map(({ batch }) => batch))) {
      this.#imported += added
      this.#skipped += known
      this.#embeddings += embeddings
      this.#handled += added + known
    }
  }

  /** Keeps what sources hold now, but for the last few that were written to. */
  #count(uncounted: number): void {
    const counted = [...this.#uncounted].slice(0, Math.max(0, this.#uncounted.size - uncounted))
    if (counted.length === 0) return
    this.#database.transaction(() => keepSummaries(this.#database, counted)).immediate()
    for (const source of counted) this.#uncounted.delete(source)
    this.#writer.counted(counted)
  }

  /** Writes what the sources of this import hold now, and lets the index settle. */
  summarize(): void {
    this.#count(0)
    settleIndex(this.#database)
  }

  #report(file: string): void {
    const fraction = this.#allBytes === 0 ? 1 : Math.min(1, this.#bytesRead / this.#allBytes)
    const seconds = (performance.now() - this.#started) / 1000
    this.#options.onProgress({
      file,
      rows: this.#imported + this.#skipped + this.#rejects.count,
      fraction,
      rowsPerSecond: this.#handled / seconds,
      secondsLeft: fraction === 0 ? null : (seconds / fraction) * (1 - fraction),
      soFar: this.summary
    })
  }
}

/** The next file, and whether it was there at once. */
async function askFor(feed: ImportFeed, onWait: () => void): Promise<ImportFile | null> {
  const asked = feed.next()
  const isHere = await Promise.race([asked.then(() => true), new Promise<boolean>(resolve => setImmediate(resolve, false))])
  if (!isHere) onWait()
  return asked
}

/** Files that a parser is told ahead, so that it never waits for the writer to ask for the next; small files hold less than a batch. */
const filesAhead = 12

/** Parsers at work, each with the files that it has and is told ahead. */
class Lanes {
  readonly #work: Import
  readonly #feed: ImportFeed
  readonly #withEmbeddings: boolean
  readonly #parsers: ParserThread[] = []
  #isOver = false

  constructor(work: Import, feed: ImportFeed, withEmbeddings: boolean) {
    this.#work = work
    this.#feed = feed
    this.#withEmbeddings = withEmbeddings
  }

  /** Reads all files. Throws what a parser or the writer throws; nothing is written any more then. */
  async run(): Promise<void> {
    // As many as help.
    const parsers = Math.max(1, Math.min(4, os.availableParallelism() - 1))
    try {
      await Promise.all(Array.from({ length: parsers * filesAhead }, (_, lane) => this.#lane(lane % parsers)))
    } finally {
      this.#isOver = true
      await Promise.all(this.#parsers.map(parser => parser.close()))
    }
  }

  #parser(which: number): ParserThread {
    const parser = this.#parsers[which] ?? new ParserThread()
    this.#parsers[which] = parser
    return parser
  }

  async #lane(which: number): Promise<void> {
    for (;;) {
      // Nothing may lie in memory while files are waited for.
      const file = await askFor(this.#feed, () => this.#work.flush())
      if (file === null || this.#isOver) return
      const progress = this.#work.begin(file)
      if (progress === null) continue
      await this.#parser(which).parse(file, progress.rows, this.#withEmbeddings, batch => {
        if (!this.#isOver) this.#work.take(progress, batch)
      })
    }
  }
}

/** Files that are all known, as a feed. */
function feedOf(files: readonly ImportFile[]): ImportFeed {
  const waiting = [...files]
  return { next: async () => waiting.shift() ?? null }
}

/**
 * Imports the files that a feed brings, `bytes` in all. Throws `import/cancelled` when it was cancelled (what was written before
 * stays), and SQLite's own errors.
 */
export async function importFeed(
  database: Database,
  databaseFile: string,
  feed: ImportFeed,
  bytes: number,
  options: ImportOptions
): Promise<{ result: ImportSummary; rejectsFile: string | null }> {
  database.pragma(`cache_size = -${cacheKilobytes}`)
  database.pragma(`wal_autocheckpoint = ${pagesInLog}`)
  const work = new Import(database, databaseFile, bytes, options)
  await new Lanes(work, feed, options.withEmbeddings).run()
  work.flush()
  work.summarize()
  return work.result
}

/** Imports files and folders. Throws `import/...` for paths that hold nothing importable, and what `importFeed` throws. */
export async function importFiles(database: Database, databaseFile: string, paths: readonly string[], options: ImportOptions) {
  const files = listFiles(paths)
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  return importFeed(database, databaseFile, feedOf(files), bytes, options)
}
