/** Reads runs out of a broken history, one by one: those that are whole come over, those that are not are counted. */
import Sqlite, { type Database } from 'better-sqlite3'
import { z } from 'zod'

const numbers = z.array(z.number())
const columns = z.array(z.object({ name: z.string() }))
const row = z.record(z.string(), z.unknown())

/** The tables that hold a run, the one with its number first. */
const tables = ['runs', 'run_contents', 'run_tags', 'run_saes', 'run_attributions'] as const

/** What reading gives; null where SQLite says that it is broken. */
function tryTo<Result>(read: () => Result): Result | null {
  try {
    return read()
  } catch (thrown) {
    if (thrown instanceof Sqlite.SqliteError) return null
    throw thrown
  }
}

/** The numbers of the runs: by the table, else by whichever index can still be read. */
function numbersOf(broken: Database): number[] {
  const ways = [
    'SELECT run FROM runs NOT INDEXED',
    'SELECT run FROM run_contents',
    'SELECT DISTINCT run FROM run_saes',
    'SELECT run FROM runs'
  ]
  const found = new Set<number>()
  for (const sql of ways) {
    tryTo(() => {
      for (const run of broken.prepare(sql).pluck().iterate()) found.add(Number(run))
    })
  }
  return [...found].sort((one, other) => one - other)
}

/** Copies whole runs that `into` does not have. */
export function salvageRuns(broken: Database, into: Database): { salvaged: number; lost: number } {
  const known = new Set(numbers.parse(into.prepare('SELECT run FROM runs').pluck().all()))
  const copies = tables.map(table => {
    const names = columns.parse(into.pragma(`table_info(${table})`)).map(({ name }) => name)
    return {
      table,
      names,
      read: tryTo(() => broken.prepare(`SELECT ${names.join(', ')} FROM ${table} WHERE run = ?`)),
      write: into.prepare(`INSERT OR IGNORE INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`)
    }
  })
  const count = { salvaged: 0, lost: 0 }
  for (const number of numbersOf(broken)) {
    if (known.has(number)) continue
    const read = tryTo(() => copies.map(copy => ({ ...copy, rows: (copy.read?.all(number) ?? []).map(found => row.parse(found)) })))
    const isWhole = read?.every(({ table, rows }) => rows.length > 0 || (table !== 'runs' && table !== 'run_contents'))
    if (read === null || isWhole !== true) {
      count.lost += 1
      continue
    }
    into.transaction(() => {
      for (const { names, rows, write } of read) for (const found of rows) write.run(...names.map(name => found[name]))
    })()
    count.salvaged += 1
  }
  return count
}
