/** Reads a file of explanations into batches of rows, without holding more than one batch of it. */
import fs from 'node:fs'
import type { TransformOptions } from 'node:stream'
import { createGunzip, type ZlibOptions } from 'node:zlib'
import { parse as parseCsv } from 'csv-parse'
import type { TermWriter } from '../search/index-terms.ts'
import { Batch } from './batch.ts'
import { cutEmbedding, readCutEmbedding, readEmbedding } from './embedding.ts'
import { type ImportFile, sourceOfPath } from './import-files.ts'
import type { ParsedBatch } from './parsed-batch.ts'
import { type CutRow, LineCutter, ObjectCutter, type RowCutter } from './row-cutter.ts'
import { recogniseRow } from './rows.ts'

const chunkBytes = 1024 * 1024
/** Unzipped bytes that wait for the parser, so that unzipping goes on while it parses. */
const unzipping: ZlibOptions & TransformOptions = { chunkSize: chunkBytes, readableHighWaterMark: 4 * chunkBytes }

/** A row as it was written, or why there is none. `embedding` is what was cut out of it. */
type Row =
  | { readonly line: number; readonly value: unknown; readonly embedding: Buffer | null }
  | { readonly line: number; readonly problem: string }

/** Most arrays, objects and commas of a row: brackets alone take twenty times their bytes in memory. */
const mostParts = 1_000_000
/** Rows that are all bad, from a file's beginning on, before it is taken for a file of something else. */
const mostBadRows = 100_000

function hasTooManyParts(text: string): boolean {
  if (text.length <= mostParts) return false
  let parts = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x5b || code === 0x7b || code === 0x2c) parts += 1
  }
  return parts > mostParts
}

function parseRow(row: CutRow): Row {
  if ('problem' in row) return row
  const { text, embedding } = cutEmbedding(row.bytes)
  if (hasTooManyParts(text)) return { line: row.line, problem: `holds more than ${mostParts} values` }
  try {
    return { line: row.line, value: JSON.parse(text), embedding }
  } catch {
    return { line: row.line, problem: 'not JSON' }
  }
}

async function* cutRows(input: AsyncIterable<Buffer>, cutter: RowCutter): AsyncGenerator<CutRow[], void> {
  for await (const chunk of input) yield cutter.push(chunk)
  yield cutter.end()
}

/** `skip` rows are passed over without a look at them. */
async function* jsonRows(input: AsyncIterable<Buffer>, cutter: RowCutter, skip: number): AsyncGenerator<Row[], void> {
  let seen = 0
  for await (const rows of cutRows(input, cutter)) {
    const wanted: Row[] = []
    for (const row of rows) {
      seen += 1
      if (seen <= skip) continue
      wanted.push(parseRow(row))
    }
    yield wanted
  }
}

async function* csvRows(input: NodeJS.ReadableStream, skip: number): AsyncGenerator<Row[], void> {
  const parser = input.pipe(parseCsv({ columns: true, bom: true, info: true, relaxColumnCount: true, maxRecordSize: 1 << 20 }))
  input.on('error', error => parser.destroy(error))
  let seen = 0
  for await (const { record, info } of parser) {
    seen += 1
    if (seen > skip) yield [{ line: Number(info.lines), value: record, embedding: null }]
  }
}

export interface ParseOptions {
  /** Rows that are passed over. */
  readonly skip: number
  readonly withEmbeddings: boolean
  readonly terms: TermWriter
}

function embeddingOf(row: Extract<Row, { value: unknown }>): Uint8Array | null {
  if (row.embedding !== null) return readCutEmbedding(row.embedding)
  const { value } = row
  return typeof value === 'object' && value !== null && 'embedding' in value ? readEmbedding(value.embedding) : null
}

/** A file's batches. One that cannot be read to its end gives a last rejected row that says why. */
export async function* parseFile(
  { path: name, bytes }: Pick<ImportFile, 'path' | 'bytes'>,
  { skip, withEmbeddings, terms }: ParseOptions
): AsyncGenerator<ParsedBatch, void> {
  const raw = fs.createReadStream(name, { highWaterMark: chunkBytes })
  const isZipped = /\.gz$/i.test(name)
  const input = isZipped ? raw.pipe(createGunzip(unzipping)) : raw
  raw.on('error', error => input.destroy(error))
  const kind = /\.(json|jsonl|csv)(\.gz)?$/i.exec(name)?.[1]?.toLowerCase()
  const rows = kind === 'csv' ? csvRows(input, skip) : jsonRows(input, kind === 'json' ? new ObjectCutter() : new LineCutter(), skip)
  const source = sourceOfPath(name)
  const batch = new Batch(terms, withEmbeddings)
  let seen = skip
  let bad = 0
  let hasGood = skip > 0
  try {
    for await (const some of rows) {
      for (const row of some) {
        if (!hasGood && bad === mostBadRows) throw new Error(`its first ${mostBadRows} rows are all rejected`)
        const recognised = 'problem' in row ? null : recogniseRow(row.value, source)
        const next = recognised?.kind === 'activation' ? recognised.row : null
        if (batch.isFull(next)) yield batch.take(seen, raw.bytesRead, false)
        seen += 1
        if (recognised === null || recognised.kind === 'rejected') bad += 1
        else hasGood = true
        if ('problem' in row || recognised === null) batch.reject(row.line, 'problem' in row ? row.problem : 'no row')
        else if (recognised.kind === 'rejected') batch.reject(row.line, recognised.reason)
        else if (recognised.kind === 'explanation') batch.addExplanation(recognised.row, withEmbeddings ? embeddingOf(row) : null)
        else if (recognised.kind === 'feature') batch.addFeature(recognised.row)
        else batch.addActivation(recognised.row)
      }
    }
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown)
    batch.reject(seen + 1, `the file cannot be read further: ${why}`)
  } finally {
    raw.destroy()
  }
  yield batch.take(seen, bytes, true)
}
