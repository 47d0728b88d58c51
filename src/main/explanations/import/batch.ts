/** Gathers the rows of a file into batches that the writer can take. */
import { deflateSync } from 'node:zlib'
import type { TermWriter } from '../search/index-terms.ts'
import type { ParsedBatch, ParsedExamples, ParsedFeature } from './parsed-batch.ts'
import type { ActivationRow, ExampleRow, ExplanationRow, FeatureRow } from './rows.ts'
import { hashText } from './text-hash.ts'

/** Rows of one batch. */
const rowsPerBatch = 2000

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

/** Numbers of names, from 1 on in the order in which they come. */
class NameList {
  readonly #numbers = new Map<string, number>()

  number(name: string | null): number {
    if (name === null) return 0
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    this.#numbers.set(name, this.#numbers.size + 1)
    return this.#numbers.size
  }

  get names(): string[] {
    return [...this.#numbers.keys()]
  }
}

/** What is in a batch that is still being filled. */
function emptyContent(withEmbeddings: boolean) {
  return {
    sources: [] as { model: string; layer: string }[],
    names: new NameList(),
    source: [] as number[],
    feature: [] as number[],
    explainer: [] as number[],
    type: [] as number[],
    author: [] as number[],
    description: [] as string[],
    id: [] as (string | null)[],
    terms: [] as string[],
    embedding: withEmbeddings ? ([] as (Uint8Array | null)[]) : null,
    features: [] as ParsedFeature[],
    examples: [] as ParsedExamples[],
    rejects: [] as { line: number; reason: string }[]
  }
}

export class Batch {
  readonly #terms: TermWriter
  readonly #withEmbeddings: boolean
  readonly #sourceNumbers = new Map<string, number>()
  #content: ReturnType<typeof emptyContent>
  #activations: { source: number; feature: number; rows: ExampleRow[] } | null = null
  #lastSource: { model: string; layer: string; number: number } | null = null
  #size = 0

  constructor(terms: TermWriter, withEmbeddings: boolean) {
    this.#terms = terms
    this.#withEmbeddings = withEmbeddings
    this.#content = emptyContent(withEmbeddings)
  }

  /** Whether it should be handed over before another row; never between activations of one feature. */
  isFull(next: { modelId: string; layer: string; index: number } | null): boolean {
    if (this.#size < rowsPerBatch) return false
    const open = this.#activations
    return open === null || next === null || open.feature !== next.index || this.#source(next.modelId, next.layer) !== open.source
  }

  #source(model: string, layer: string): number {
    const last = this.#lastSource
    if (last !== null && last.model === model && last.layer === layer) return last.number
    const key = `${model}/${layer}`
    const number = this.#sourceNumbers.get(key) ?? this.#content.sources.push({ model, layer }) - 1
    this.#sourceNumbers.set(key, number)
    this.#lastSource = { model, layer, number }
    return number
  }

  /** `embedding` is float32, or null where the row has none. */
  addExplanation(row: ExplanationRow, embedding: Uint8Array | null): void {
    this.#size += 1
    const content = this.#content
    const description = row.description.toWellFormed()
    content.source.push(this.#source(row.modelId, row.layer))
    content.feature.push(row.index)
    content.explainer.push(content.names.number(clean(row.explanationModelName)))
    content.type.push(content.names.number(clean(row.typeName)))
    content.author.push(content.names.number(clean(row.authorId)))
    content.description.push(description)
    content.id.push(clean(row.id))
    content.terms.push(this.#terms.termsOf(description))
    content.embedding?.push(embedding)
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
    this.#content.features.push({
      source: this.#source(row.modelId, row.layer),
      feature: row.index,
      maxActivation: row.maxActApprox ?? null,
      density: row.frac_nonzero ?? null,
      details: pack(details),
      examples: examples.length === 0 ? null : pack(examples)
    })
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
    const part = 1 + (hashText(json) % 0x1fffffff)
    this.#content.examples.push({ source, feature, part, rows: rows.length, examples: deflateSync(json) })
    this.#activations = null
  }

  reject(line: number, reason: string): void {
    this.#size += 1
    this.#content.rejects.push({ line, reason })
  }

  /** What is gathered, and an empty batch after it. `rows` and `bytesRead` say how far the file is read. */
  take(rows: number, bytesRead: number, isLast: boolean): ParsedBatch {
    this.#closeActivations()
    const { sources, names, source, feature, explainer, type, author, features, examples, rejects, ...texts } = this.#content
    const batch: ParsedBatch = {
      sources,
      runs: this.#terms.takeNewRuns(),
      explanations: {
        ...texts,
        length: source.length,
        names: names.names,
        source: Uint16Array.from(source),
        feature: Float64Array.from(feature),
        explainer: Uint16Array.from(explainer),
        type: Uint16Array.from(type),
        author: Uint16Array.from(author)
      },
      features,
      examples,
      rejects,
      rows,
      bytesRead,
      isLast
    }
    this.#content = emptyContent(this.#withEmbeddings)
    this.#sourceNumbers.clear()
    this.#lastSource = null
    this.#size = 0
    return batch
  }
}
