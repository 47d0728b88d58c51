/** Rows of the history's file: what lists read, what a filter asks, and the keys of pages. */
import { z } from 'zod'
import { SpliceError } from '../../contract/errors.ts'
import type { HistoryRequest, KeptRun } from '../../contract/history.ts'
import { keptSaes, keptVariants, searchWords } from './run-summary.ts'

/** A run as a list has it. */
export type ListedRow = KeptRun

/** The columns that `runOf` reads. */
export const listedRow = `id, created_at, name, pinned, notes, prompt, tokens, model_name, model_path, saes, variants, bytes, version,
  (SELECT json_group_array(tag) FROM (SELECT tag FROM run_tags WHERE run_tags.run = runs.run ORDER BY tag)) AS tags`

const row = z.object({
  id: z.string(),
  created_at: z.number(),
  name: z.string().nullable(),
  pinned: z.number(),
  notes: z.string(),
  prompt: z.string(),
  tokens: z.number(),
  model_name: z.string(),
  model_path: z.string(),
  saes: z.string(),
  variants: z.string(),
  bytes: z.number(),
  version: z.string(),
  tags: z.string()
})

/** A row as the contract has it. */
export function runOf(raw: unknown): ListedRow {
  const { created_at, model_name, model_path, pinned, saes, variants, tags, ...rest } = row.parse(raw)
  return {
    ...rest,
    createdAt: created_at,
    pinned: pinned === 1,
    model: { name: model_name, path: model_path },
    saes: keptSaes.parse(JSON.parse(saes)),
    variants: keptVariants.parse(JSON.parse(variants)),
    tags: z.array(z.string()).parse(JSON.parse(tags))
  }
}

const contentsRow = z.object({ contents: z.instanceof(Buffer), format: z.number() })

/** The stored bytes of a run. */
export function contentsOf(raw: unknown): z.infer<typeof contentsRow> {
  return contentsRow.parse(raw)
}

/** A filter as SQL over `runs`. */
export function where({ text, model, sae, tag, pinned }: HistoryRequest): { sql: string; values: (string | number)[] } {
  const terms: [sql: string, value: string | number][] = searchWords(text).map(word => ['instr(search, ?) > 0', word])
  if (model !== undefined) terms.push(['model_name = ?', model])
  if (sae !== undefined) terms.push(['run IN (SELECT run FROM run_saes WHERE sae = ?)', sae])
  if (tag !== undefined) terms.push(['run IN (SELECT run FROM run_tags WHERE tag = ?)', tag])
  if (pinned !== undefined) terms.push(['pinned = ?', pinned ? 1 : 0])
  return { sql: ['deleted_at IS NULL', ...terms.map(([sql]) => sql)].join(' AND '), values: terms.map(([, value]) => value) }
}

/** The key of the page after a run. */
export function keyOf({ pinned, createdAt, id }: KeptRun): string {
  return `${pinned ? 1 : 0}-${createdAt}-${id}`
}

/** Reads such a key. Throws `history/key`. */
export function readKey(key: string): [pinned: number, createdAt: number, id: string] {
  const [, pinned, createdAt, id] = /^([01])-(\d{1,16})-([0-9a-f]{10})$/.exec(key) ?? []
  if (pinned === undefined || createdAt === undefined || id === undefined) {
    throw new SpliceError('history/key', `after: ${JSON.stringify(key.slice(0, 60))} is no key of a page`, {
      field: 'after',
      hint: 'Give the nextKey of the page before, as it is.'
    })
  }
  return [Number(pinned), Number(createdAt), id]
}
