/**
 * The run history: every run in one SQLite file, written whole or not at all. Several processes may have it open; each write is one
 * short transaction. The file is opened when it is first asked for, so that a broken one stops no run.
 */
import { randomBytes } from 'node:crypto'
import { setImmediate, setTimeout as wait } from 'node:timers/promises'
import Sqlite, { type Database } from 'better-sqlite3'
import type { AttributionRequest, AttributionResult, KeptAttribution } from '../../contract/attribution.ts'
import { SpliceError } from '../../contract/errors.ts'
import type { HistoryChange, HistoryPage, HistoryRequest, HistorySummary, KeptRun, OpenedRun } from '../../contract/history.ts'
import type { KeptPatching, PatchingRequest, PatchingResult } from '../../contract/patching.ts'
import type { RunRequest, RunResult } from '../../contract/run.ts'
import { Backups, backupOf } from '../sqlite/backup.ts'
import { type DatabaseKind, explainFailure, isLocked, lockPatience, openDatabase } from '../sqlite/database.ts'
import { lookThrough, repairDatabase, repairInWords, saysBroken } from '../sqlite/repair.ts'
import { applicationId, migrations } from './migrations.ts'
import { contentsOf, keyOf, type ListedRow, listedRow, readKey, runOf, where } from './run-rows.ts'
import { searchText, summaryOf } from './run-summary.ts'
import { salvageRuns } from './salvage.ts'
import { attributions, type FindingKind, findingRow, packFinding, patchings, unpackFinding } from './stored-finding.ts'
import { packRun, storedFormat, unpackRun } from './stored-run.ts'

const historyFile: DatabaseKind = {
  area: 'history',
  applicationId,
  migrations,
  givesBack: true,
  whenLocked: 'Try again when the other one is done.',
  whenCorrupt: 'Move it away; a new one is begun with the next run.',
  elsewhere: 'Move it away; a new one is begun with the next run.'
}

/** How long a removed run can be restored, in ms. */
const restorableMs = 7 * 24 * 60 * 60 * 1000

/** How long SQLite itself waits for another writer, in ms: it holds up the whole process. Between two tries everything else goes on. */
const blockingPatience = 20
const retryEvery = 50

export interface HistoryOptions {
  /** The version of Splice that keeps runs. */
  readonly version: string
  /** Hears of a run that was not kept. */
  readonly onFailure?: (error: SpliceError) => void
  /** For whoever stays open: keeps a backup beside the file, and makes a broken file again; hears in words what was done. */
  readonly onRepair?: (message: string) => void
}

export class History {
  readonly file: string
  readonly #version: string
  readonly #onFailure: (error: SpliceError) => void
  readonly #onRepair: ((message: string) => void) | undefined
  readonly #backups: Backups
  #opened: Database | null = null
  #writing: Promise<void> = Promise.resolve()

  constructor(file: string, { version, onFailure, onRepair }: HistoryOptions) {
    this.file = file
    this.#version = version
    this.#onFailure = onFailure ?? (() => undefined)
    this.#onRepair = onRepair
    this.#backups = new Backups(file, applicationId, thrown => this.#tell(thrown, 'no backup of the history was made'))
  }

  #database(): Database {
    if (this.#opened !== null) return this.#opened
    const database = openDatabase(this.file, historyFile)
    database.pragma('foreign_keys = ON')
    database.pragma(`busy_timeout = ${blockingPatience}`)
    this.#opened = database
    if (this.#onRepair !== undefined) lookThrough(database)
    this.#purge(database)
    return database
  }

  /** Works on the file; waits while another process writes to it, and makes it again once where it is broken. */
  async #work<Result>(work: (database: Database) => Result): Promise<Result> {
    const started = performance.now()
    for (let isRepaired = false; ; ) {
      try {
        return work(this.#database())
      } catch (thrown) {
        if (isLocked(thrown) && performance.now() - started < lockPatience) await wait(retryEvery)
        else if (saysBroken(thrown) && this.#onRepair !== undefined && !isRepaired) {
          isRepaired = true
          await this.#repair(this.#onRepair)
        } else throw thrown
      }
    }
  }

  async #repair(tell: (message: string) => void): Promise<void> {
    await this.#backups.settled()
    this.#opened?.close()
    this.#opened = null
    const repair = repairDatabase(this.file, historyFile, salvageRuns)
    if (repair !== null) tell(repairInWords(this.file, 'runs', repair))
  }

  /** Works on the file after all runs that were given to `keep`. Throws `history/...`. */
  async #after<Result>(work: (database: Database) => Result): Promise<Result> {
    await this.#writing
    try {
      return await this.#work(work)
    } catch (thrown) {
      throw explainFailure(historyFile, this.file, thrown)
    }
  }

  /**
   * Keeps a run, soon: its id comes at once. What goes wrong is told to `onFailure`, for the run itself is good.
   */
  keep(request: RunRequest, result: RunResult): string {
    const id = randomBytes(5).toString('hex')
    const createdAt = Date.now()
    this.#writing = this.#writing
      .then(async () => {
        // Whoever asked for the run has it before its text is made, which takes a while for a long one.
        await setImmediate()
        const contents = await packRun(request, result)
        await this.#work(database => {
          this.#write(database, { id, createdAt, request, result, contents })
          if (this.#onRepair !== undefined) this.#backups.afterChange(database)
        })
      })
      .catch(thrown => this.#tell(thrown, 'the run was not kept'))
    return id
  }

  #tell(thrown: unknown, what: string): void {
    const error = explainFailure(historyFile, this.file, thrown)
    this.#onFailure(
      error instanceof SpliceError
        ? error
        : new SpliceError('history/failed', `${what}: ${error instanceof Error ? error.message : String(error)}`, {
            file: this.file,
            mistake: false
          })
    )
  }

  /** Settles when every run given to `keep` is on the disk, or its failure told. */
  flush(): Promise<void> {
    return this.#writing
  }

  #write(database: Database, run: { id: string; createdAt: number; request: RunRequest; result: RunResult; contents: Buffer }): void {
    const { id, createdAt, request, result, contents } = run
    const { prompt, tokens, model, saes, variants } = summaryOf(request, result)
    const search = searchText([id, prompt, model.name, ...saes.flatMap(sae => [sae.name, sae.label, sae.hook])])
    database
      .transaction(() => {
        const { lastInsertRowid } = database
          .prepare(
            `INSERT INTO runs (id, created_at, prompt, tokens, model_name, model_path, saes, variants, search, version, format, bytes)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
          )
          .run(
            ...[id, createdAt, prompt, tokens, model.name, model.path, JSON.stringify(saes), JSON.stringify(variants)],
            ...[search, this.#version, storedFormat, contents.byteLength]
          )
        database.prepare('INSERT INTO run_contents (run, contents) VALUES (?, ?)').run(lastInsertRowid, contents)
        const nameSae = database.prepare('INSERT OR IGNORE INTO run_saes (run, sae) VALUES (?, ?)')
        for (const { label } of saes) nameSae.run(lastInsertRowid, label)
      })
      .immediate()
  }

  /** A page of runs, pinned ones first, then the newest. Throws `history/key` for a key of no page. */
  list(request: HistoryRequest): Promise<HistoryPage> {
    return this.#after(database => {
      const filter = where(request)
      const total = Number(
        database
          .prepare(`SELECT count(*) FROM runs WHERE ${filter.sql}`)
          .pluck()
          .get(...filter.values)
      )
      const key = request.after === undefined ? null : readKey(request.after)
      const after = key === null ? '' : ' AND (pinned, created_at, id) < (?, ?, ?)'
      const rows = database
        .prepare(`SELECT ${listedRow} FROM runs WHERE ${filter.sql}${after} ORDER BY pinned DESC, created_at DESC, id DESC LIMIT ?`)
        .all(...filter.values, ...(key ?? []), request.limit + 1)
        .map(runOf)
      const runs = rows.slice(0, request.limit)
      const last = runs.at(-1)
      return { runs, total, nextKey: rows.length > runs.length && last !== undefined ? keyOf(last) : null }
    })
  }

  /** How much there is, and the models, SAEs and tags to filter by. */
  summary(): Promise<HistorySummary> {
    return this.#after(database => {
      const counted = (sql: string) =>
        database
          .prepare(`${sql} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 200`)
          .raw()
          .all()
          .map(row => (Array.isArray(row) ? { name: String(row[0]), runs: Number(row[1]) } : { name: '', runs: 0 }))
      const count = (more: string) => Number(database.prepare(`SELECT count(*) FROM runs WHERE deleted_at IS NULL${more}`).pluck().get())
      const pages = Number(database.pragma('page_count', { simple: true }))
      return {
        file: this.file,
        runs: count(''),
        pinned: count(' AND pinned = 1'),
        bytes: pages * Number(database.pragma('page_size', { simple: true })),
        models: counted('SELECT model_name, count(*) FROM runs WHERE deleted_at IS NULL'),
        saes: counted('SELECT sae, count(*) FROM run_saes JOIN runs USING (run) WHERE deleted_at IS NULL'),
        tags: counted('SELECT tag, count(*) FROM run_tags JOIN runs USING (run) WHERE deleted_at IS NULL')
      }
    })
  }

  /** A run, whole; `id` may be the beginning of one. Throws `history/unknown`, `history/ambiguous` and what `unpackRun` throws. */
  async open(id: string): Promise<OpenedRun> {
    const { kept, contents, format } = await this.#after(database => {
      const row = this.#find(database, id)
      const { contents, format } = contentsOf(
        database.prepare('SELECT contents, format FROM run_contents JOIN runs USING (run) WHERE id = ?').get(row.id)
      )
      return { kept: row, contents, format }
    })
    const as = { id: kept.id, format, version: kept.version }
    try {
      return { kept, ...(await unpackRun(contents, as)) }
    } catch (thrown) {
      const backup = this.#onRepair === undefined ? null : contentsInBackup(this.file, kept.id)
      if (backup === null || backup.contents.equals(contents)) throw thrown
      const whole = await unpackRun(backup.contents, { ...as, format: backup.format })
      await this.#after(database =>
        database
          .prepare('UPDATE run_contents SET contents = ? WHERE run = (SELECT run FROM runs WHERE id = ?)')
          .run(backup.contents, kept.id)
      )
      this.#onRepair?.(`the run ${kept.id} was damaged in ${this.file}: it was taken from the backup`)
      return { kept, ...whole }
    }
  }

  /**
   * Keeps a finding with a run and gives its number. What goes wrong is told to `onFailure`, for the finding itself is good: it has no
   * number then.
   */
  async #keepFinding<Finding extends { readonly request: unknown; readonly result: unknown }>(
    { table, name, format }: FindingKind<Finding>,
    id: string,
    finding: Finding
  ): Promise<number | null> {
    try {
      const contents = await packFinding(finding)
      return await this.#after(database => {
        const run = database.prepare('SELECT run FROM runs WHERE id = ?').pluck().get(this.#find(database, id).id)
        const { lastInsertRowid } = database
          .prepare(`INSERT INTO ${table} (run, created_at, format, contents) VALUES (?, ?, ?, ?)`)
          .run(run, Date.now(), format, contents)
        return Number(lastInsertRowid)
      })
    } catch (thrown) {
      this.#tell(thrown, `the ${name} was not kept`)
      return null
    }
  }

  async #findings<Finding>(kind: FindingKind<Finding>, id: string): Promise<(Finding & { number: number; createdAt: number })[]> {
    const { table } = kind
    const rows = await this.#after(database => {
      const { id: whole } = this.#find(database, id)
      return database
        .prepare(
          `SELECT number, ${table}.created_at, ${table}.format, contents FROM ${table} JOIN runs USING (run)
           WHERE id = ? AND ${table}.deleted_at IS NULL ORDER BY number DESC`
        )
        .all(whole)
        .map(row => findingRow.parse(row))
    })
    return Promise.all(rows.map(async row => ({ number: row.number, createdAt: row.created_at, ...(await unpackFinding(kind, row)) })))
  }

  #markFinding({ table }: Pick<FindingKind<unknown>, 'table'>, number: number, isRemoved: boolean): Promise<boolean> {
    return this.#after(
      database =>
        database
          .prepare(`UPDATE ${table} SET deleted_at = ? WHERE number = ? AND deleted_at IS ${isRemoved ? '' : 'NOT '}NULL`)
          .run(isRemoved ? Date.now() : null, number).changes > 0
    )
  }

  /** Keeps an attribution with a run and gives its number; null, and `onFailure` hears why, where that cannot be. */
  keepAttribution(id: string, request: AttributionRequest, result: AttributionResult): Promise<number | null> {
    return this.#keepFinding(attributions, id, { request, result })
  }

  /** The attributions kept with a run, newest first. Throws `history/unknown` and what `unpackFinding` throws. */
  attributions(id: string): Promise<KeptAttribution[]> {
    return this.#findings(attributions, id)
  }

  /** Takes an attribution from its run, or brings it back. Gives whether there was one. */
  markAttribution(number: number, isRemoved: boolean): Promise<boolean> {
    return this.#markFinding(attributions, number, isRemoved)
  }

  /** The same for grids of patches, which are kept with a run of the prompt that is patched. */
  keepPatching(id: string, request: PatchingRequest, result: PatchingResult): Promise<number | null> {
    return this.#keepFinding(patchings, id, { request, result })
  }

  patchings(id: string): Promise<KeptPatching[]> {
    return this.#findings(patchings, id)
  }

  markPatching(number: number, isRemoved: boolean): Promise<boolean> {
    return this.#markFinding(patchings, number, isRemoved)
  }

  #find(database: Database, id: string): KeptRun {
    const found = /^[0-9a-f]{1,10}$/.test(id)
      ? database.prepare(`SELECT ${listedRow} FROM runs WHERE deleted_at IS NULL AND id GLOB ? LIMIT 3`).all(`${id}*`).map(runOf)
      : []
    const [one, other] = found
    if (one === undefined) {
      throw new SpliceError('history/unknown', `no run ${JSON.stringify(id)} is in the history`, {
        field: 'id',
        hint: 'Its id is ten digits and letters from a to f, as the list shows it; it may have been removed.'
      })
    }
    if (other !== undefined) {
      throw new SpliceError('history/ambiguous', `several runs begin with ${id}, such as ${one.id} and ${other.id}`, {
        field: 'id',
        hint: 'Write more of it.'
      })
    }
    return one
  }

  /** Changes what a person says of a run. Throws `history/unknown`. */
  change({ id, name, notes, tags, pinned }: HistoryChange): Promise<KeptRun> {
    return this.#after(database =>
      database
        .transaction(() => {
          const before = this.#find(database, id)
          const after: ListedRow = {
            ...before,
            name: name === undefined ? before.name : name === '' ? null : name,
            notes: notes ?? before.notes,
            tags: tags === undefined ? before.tags : [...new Set(tags)].sort((one, other) => one.localeCompare(other)),
            pinned: pinned ?? before.pinned
          }
          const { prompt, model, saes } = after
          const said = [after.id, after.name, prompt, after.notes, ...after.tags]
          const search = searchText([...said, model.name, ...saes.flatMap(sae => [sae.name, sae.label, sae.hook])])
          database
            .prepare('UPDATE runs SET name = ?, notes = ?, pinned = ?, search = ? WHERE id = ?')
            .run(after.name, after.notes, after.pinned ? 1 : 0, search, before.id)
          const run = database.prepare('SELECT run FROM runs WHERE id = ?').pluck().get(before.id)
          database.prepare('DELETE FROM run_tags WHERE run = ?').run(run)
          const addTag = database.prepare('INSERT INTO run_tags (run, tag) VALUES (?, ?)')
          for (const tag of after.tags) addTag.run(run, tag)
          return after
        })
        .immediate()
    )
  }

  /** Takes runs from the list; they stay restorable for a week. Gives how many there were. */
  remove(ids: readonly string[]): Promise<number> {
    return this.#mark(ids, 'UPDATE runs SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL', [Date.now()])
  }

  /** Brings removed runs back. Gives how many there were. */
  restore(ids: readonly string[]): Promise<number> {
    return this.#mark(ids, 'UPDATE runs SET deleted_at = NULL WHERE id = ? AND deleted_at IS NOT NULL', [])
  }

  #mark(ids: readonly string[], sql: string, values: readonly number[]): Promise<number> {
    return this.#after(database =>
      database
        .transaction(() => {
          const mark = database.prepare(sql)
          return ids.reduce((sum, id) => sum + mark.run(...values, id).changes, 0)
        })
        .immediate()
    )
  }

  /** Deletes runs for good, removed ones too, and gives their room back to the disk; pinned ones stay unless they are meant too. */
  clear({ pinned }: { pinned: boolean }): Promise<number> {
    return this.#after(database => {
      const shown = Number(
        database
          .prepare(`SELECT count(*) FROM runs WHERE deleted_at IS NULL${pinned ? '' : ' AND pinned = 0'}`)
          .pluck()
          .get()
      )
      database.prepare(`DELETE FROM runs${pinned ? '' : ' WHERE pinned = 0 OR deleted_at IS NOT NULL'}`).run()
      giveBack(database)
      return shown
    })
  }

  /** Deletes what was removed longer ago than it can be restored. */
  #purge(database: Database): void {
    const since = Date.now() - restorableMs
    const purged = ['runs', attributions.table, patchings.table].map(
      table => database.prepare(`DELETE FROM ${table} WHERE deleted_at < ?`).run(since).changes
    )
    if (purged.some(changes => changes > 0)) giveBack(database)
  }

  /** Writes what is still to be written and closes the file. */
  async close(): Promise<void> {
    await this.#writing
    await this.#backups.settled()
    this.#opened?.close()
    this.#opened = null
  }
}

/** What the backup beside a history has of a run; null where there is none, or it cannot be read. */
function contentsInBackup(file: string, id: string): { contents: Buffer; format: number } | null {
  let backup: Database | null = null
  try {
    backup = new Sqlite(backupOf(file), { fileMustExist: true })
    const row = backup.prepare('SELECT contents, format FROM run_contents JOIN runs USING (run) WHERE id = ?').get(id)
    return row === undefined ? null : contentsOf(row)
  } catch (thrown) {
    if (thrown instanceof Sqlite.SqliteError) return null
    throw thrown
  } finally {
    backup?.close()
  }
}

/** Gives the room of deleted rows back to the disk. */
function giveBack(database: Database): void {
  database.pragma('incremental_vacuum')
  database.pragma('wal_checkpoint(TRUNCATE)')
}
