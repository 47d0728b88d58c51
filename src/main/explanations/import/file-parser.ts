/** Reads a file of explanations into batches of rows, without holding more than one batch of it. */
import fs from 'node:fs'
import { createGunzip, deflateSync } from 'node:zlib'
import { parse as parseCsv } from 'csv-parse'
import { type ImportFile, sourceOfPath } from './import-files.ts'
import type { ParsedBatch, ParsedExamples, ParsedExplanation, ParsedFeature } from './parsed-batch.ts'
import { type CutRow, LineCutter, ObjectCutter, type RowCutter, withoutEmbedding } from './row-cutter.ts'
import { type ActivationRow, type ExampleRow, type ExplanationRow, type FeatureRow, recogniseRow } from './rows.ts'
import { hashText } from './text-hash.ts'

const rowsPerBatch = 2000
const chunkBytes = 1024 * 1024

type Mutable = { -readonly [Key in keyof ParsedBatch]: ParsedBatch[Key] extends readonly (infer Item)[] ? Item[] : ParsedBatch[Key] }

function pack(value: unknown): Uint8Array {
  return deflateSync(JSON.stringify(value))
}

function pairs<A, B>(a: readonly A[] | null | undefined, b: readonly B[] | null | undefined): [A, B][] {
  return (a ?? []).slice(0, (b ?? []).length).flatMap((value, place) => {
    const other = b?.[place]
    return other === undefined ? [] : [[value, other] satisfies [A, B]]
  })
}

/** Text as SQLite can keep it. */
function clean(text: string | null | undefined): string | null {
  return text === null || text === undefined || text === '' ? null : text.toWellFormed()
}

class Batch {
  readonly #file: number
  readonly #sourceNumbers = new Map<string, number>()
  #content: Mutable
  #activations: { source: number; feature: number; rows: ExampleRow[] } | null = null
  #size = 0

  constructor(file: number) {
    this.#file = file
    this.#content = this.#empty()
  }

  #empty(): Mutable {
    return {
      file: this.#file,
      sources: [],
      explanations: [],
      features: [],
      examples: [],
      rejects: [],
      rows: 0,
      bytesRead: 0,
      isLast: false
    }
  }

  /** Whether it should be handed over before another row; never between activations of one feature. */
  isFull(next: { modelId: string; layer: string; index: number } | null): boolean {
    if (this.#size < rowsPerBatch) return false
    const open = this.#activations
    return open === null || next === null || open.feature !== next.index || this.#source(next.modelId, next.layer) !== open.source
  }

  #source(model: string, layer: string): number {
    const key = `${model}/${layer}`
    const known = this.#sourceNumbers.get(key)
    if (known !== undefined) return known
    const number = this.#content.sources.length
    this.#content.sources.push({ model, layer })
    this.#sourceNumbers.set(key, number)
    return number
  }

  addExplanation(row: ExplanationRow): void {
    this.#size += 1
    const parsed: ParsedExplanation = {
      source: this.#source(row.modelId, row.layer),
      feature: row.index,
      description: row.description.toWellFormed(),
      id: clean(row.id),
      explainer: clean(row.explanationModelName),
      type: clean(row.typeName),
      author: clean(row.authorId)
    }
    this.#content.explanations.push(parsed)
  }

  addFeature(row: FeatureRow): void {
    this.#size += 1
    const details = {
      histogram: pairs(row.freq_hist_data_bar_values, row.freq_hist_data_bar_heights),
      logitHistogram: pairs(row.logits_hist_data_bar_values, row.logits_hist_data_bar_heights),
      top: pairs(row.pos_str, row.pos_values),
      bottom: pairs(row.neg_str, row.neg_values)
    }
    const examples = row.activations ?? []
    const parsed: ParsedFeature = {
      source: this.#source(row.modelId, row.layer),
      feature: row.index,
      maxActivation: row.maxActApprox ?? null,
      density: row.frac_nonzero ?? null,
      details: pack(details),
      examples: examples.length === 0 ? null : pack(examples)
    }
    this.#content.features.push(parsed)
  }

  addActivation({ modelId, layer, index, ...example }: ActivationRow): void {
    this.#size += 1
    const source = this.#source(modelId, layer)
    if (this.#activations?.source !== source || this.#activations.feature !== index) {
      this.#closeActivations()
      this.#activations = { source, feature: index, rows: [] }
    }
    this.#activations.rows.push(example)
  }

  #closeActivations(): void {
    if (this.#activations === null) return
    const { source, feature, rows } = this.#activations
    const json = JSON.stringify(rows)
    // Part 0 is what a feature row brings itself.
    const parsed: ParsedExamples = {
      source,
      feature,
      part: 1 + (hashText(json) % 0x1fffffff),
      rows: rows.length,
      examples: deflateSync(json)
    }
    this.#content.examples.push(parsed)
    this.#activations = null
  }

  reject(line: number, reason: string): void {
    this.#size += 1
    this.#content.rejects.push({ line, reason })
  }

  take(rows: number, bytesRead: number, isLast: boolean): ParsedBatch {
    this.#closeActivations()
    const batch: ParsedBatch = { ...this.#content, rows, bytesRead, isLast }
    this.#content = this.#empty()
    this.#sourceNumbers.clear()
    this.#size = 0
    return batch
  }
}

function parseJson(text: string): { value: unknown } | { problem: string } {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return { problem: 'not JSON' }
  }
}

/** Rows of a file in order: values as they were written, or why there is none. */
type Row = { readonly line: number; readonly value: unknown } | { readonly line: number; readonly problem: string }

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
      wanted.push('problem' in row ? row : { line: row.line, ...parseJson(withoutEmbedding(row.bytes)) })
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
    if (seen > skip) yield [{ line: Number(info.lines), value: record }]
  }
}

/**
 * A file's batches, from row `skip` on. A file that cannot be read to its end gives a last rejected row that says why.
 * `file` is its place in the list of files.
 */
export async function* parseFile({ path: name, bytes }: ImportFile, file: number, skip: number): AsyncGenerator<ParsedBatch, void> {
  const raw = fs.createReadStream(name, { highWaterMark: chunkBytes })
  const isZipped = /\.gz$/i.test(name)
  const input = isZipped ? raw.pipe(createGunzip({ chunkSize: chunkBytes })) : raw
  raw.on('error', error => input.destroy(error))
  const kind = /\.(json|jsonl|csv)(\.gz)?$/i.exec(name)?.[1]?.toLowerCase()
  const rows = kind === 'csv' ? csvRows(input, skip) : jsonRows(input, kind === 'json' ? new ObjectCutter() : new LineCutter(), skip)
  const source = sourceOfPath(name)
  const batch = new Batch(file)
  let seen = skip
  try {
    for await (const some of rows) {
      for (const row of some) {
        const recognised = 'problem' in row ? null : recogniseRow(row.value, source)
        const next = recognised?.kind === 'activation' ? recognised.row : null
        if (batch.isFull(next)) yield batch.take(seen, raw.bytesRead, false)
        seen += 1
        if (recognised === null) batch.reject(row.line, 'problem' in row ? row.problem : 'no row')
        else if (recognised.kind === 'rejected') batch.reject(row.line, recognised.reason)
        else if (recognised.kind === 'explanation') batch.addExplanation(recognised.row)
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
