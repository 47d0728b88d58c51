/**
 * Which explanations a mirror has already, source by source: by id, or, for rows without one, by feature, text and explainer.
 * Hashes of a source's rows are kept in memory while it is written to; what a hash finds is compared with the row itself.
 */
import type { Database, Statement } from 'better-sqlite3'
import { firstRow } from '../rowids.ts'
import { RowTable } from './row-table.ts'
import { hashText } from './text-hash.ts'

/** What makes an explanation the same one. `explainer` is its number in the mirror. */
export interface Identity {
  readonly id: string | null
  readonly feature: number
  readonly explainer: number | null
  readonly description: string
}

interface StoredIdentity extends Identity {
  readonly row: number
}

/** Rows in memory, over all sources, before they are forgotten. */
const mostRows = 2_000_000

function contentHash({ feature, explainer, description }: Identity): number {
  return hashText(`${feature} ${explainer ?? 0} ${description}`)
}

class SourceRows {
  readonly byId = new RowTable()
  /** Made when the first row without an id comes. */
  byContent: RowTable | null = null
  readonly withoutId = new RowTable(16)
}

/** What to do with a row: skip it, give its id to a row that has none, or add it. `row` is the one that is there. */
export type Verdict = { readonly kind: 'known' | 'adopt'; readonly row: number } | { readonly kind: 'new' }

const isNew: Verdict = { kind: 'new' }

export class KnownRows {
  readonly #sources = new Map<number, SourceRows>()
  readonly #rowsOf: Statement<[number, number], StoredIdentity>
  readonly #row: Statement<[number], StoredIdentity>
  #size = 0

  constructor(database: Database) {
    const columns = 'rowid AS row, external_id AS id, feature, explainer, description'
    this.#rowsOf = database.prepare(`SELECT ${columns} FROM explanations WHERE rowid >= CAST(? AS INTEGER) AND rowid < CAST(? AS INTEGER)`)
    this.#row = database.prepare(`SELECT ${columns} FROM explanations WHERE rowid = CAST(? AS INTEGER)`)
  }

  /** Forgets everything: another connection wrote, or a transaction was rolled back. */
  forget(): void {
    this.#sources.clear()
    this.#size = 0
  }

  #load(source: number): SourceRows {
    const known = this.#sources.get(source)
    if (known !== undefined) return known
    if (this.#size > mostRows) this.forget()
    const rows = new SourceRows()
    for (const stored of this.#rowsOf.iterate(firstRow(source), firstRow(source + 1))) this.#keep(rows, stored, stored.row)
    this.#sources.set(source, rows)
    return rows
  }

  #keep(rows: SourceRows, identity: Identity, row: number): void {
    this.#size += 1
    if (identity.id === null) rows.withoutId.add(contentHash(identity), row)
    else rows.byId.add(hashText(identity.id), row)
    rows.byContent?.add(contentHash(identity), row)
  }

  #find(table: RowTable, hash: number, isIt: (stored: StoredIdentity) => boolean): number | null {
    return table.find(hash, row => {
      const stored = this.#row.get(row)
      return stored !== undefined && isIt(stored)
    })
  }

  /** What to do with a row of a source. */
  judge(source: number, identity: Identity): Verdict {
    const rows = this.#load(source)
    const isSameContent = (stored: StoredIdentity) =>
      stored.feature === identity.feature && stored.explainer === identity.explainer && stored.description === identity.description
    if (identity.id === null) {
      rows.byContent ??= this.#contentOf(source)
      const row = this.#find(rows.byContent, contentHash(identity), isSameContent)
      return row === null ? isNew : { kind: 'known', row }
    }
    const same = this.#find(rows.byId, hashText(identity.id), stored => stored.id === identity.id)
    if (same !== null) return { kind: 'known', row: same }
    if (rows.withoutId.size === 0) return isNew
    const row = this.#find(rows.withoutId, contentHash(identity), stored => stored.id === null && isSameContent(stored))
    return row === null ? isNew : { kind: 'adopt', row }
  }

  #contentOf(source: number): RowTable {
    const byContent = new RowTable()
    for (const stored of this.#rowsOf.iterate(firstRow(source), firstRow(source + 1))) byContent.add(contentHash(stored), stored.row)
    this.#size += byContent.size
    return byContent
  }

  /** Takes in a row that was added. */
  added(source: number, identity: Identity, row: number): void {
    this.#keep(this.#load(source), identity, row)
  }

  /** Takes in the id that a row was given. */
  adopted(source: number, id: string, row: number): void {
    this.#load(source).byId.add(hashText(id), row)
  }
}
