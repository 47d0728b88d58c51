/**
 * The logit lens over a run: one pass through the blocks, in which what flows into each is put through the final norm and kept, then
 * the vocabulary in pieces over a few positions at a time. Numbers of cells leave, whole logits only into a file that was asked for.
 */
import type { Tensor } from 'onnxruntime-node'
import { SpliceError } from '../../contract/errors.ts'
import { type LensLayer, mostLensBytes, mostLensEntries } from '../../contract/logit-lens.ts'
import type { Token } from '../../contract/run.ts'
import { SafetensorsWriter } from '../checkpoint/safetensors-writer.ts'
import type { Compiled, CompiledStage } from './compiled.ts'
import { type Feeds, pick } from './feeds.ts'
import { LensChunk, type LensLabels } from './lens-cells.ts'
import { finalLabel, lensCapture, lensInputs } from './lens-graph.ts'
import type { InferenceJob, InferredLens, LensJob } from './messages.ts'
import type { StageSession } from './open-sessions.ts'
import { type PlanRequest, vocabularyPieces } from './plan.ts'
import {
  type ActivationSink,
  compileOrFallBack,
  type InferenceState,
  type Pause,
  type Prepared,
  prepare,
  promptOf,
  StageOutputs,
  saeKey
} from './run.ts'
import type { KeptActivation } from './save.ts'
import { chooseProvider, onnxRuntime } from './sessions.ts'

/** Logits of a piece that are worked on at once: 64 MB, and as much again for each thing made of them. */
const mostLogits = 16e6

/** What of a whole job's time the blocks take, for the progress shown: each layer costs an unembedding of its own. */
const shareOfBlocks = 0.3

/** The positions that are looked at. Throws `run/positions` where they do not fit the prompt. */
function rangeOf(positions: LensJob['positions'], length: number): readonly [number, number] {
  if (positions === null) return [0, length]
  const [start, end] = positions
  if (start < end && end <= length) return positions
  throw new SpliceError('run/positions', `positions ${start}:${end} do not fit a prompt of ${length} tokens`, {
    field: 'positions',
    hint: `Ranges are half-open from zero and not empty; the last position is ${length - 1}.`
  })
}

/** Throws `lens/too-large` where the answer or what is held for it would not fit. */
function refuseTooLarge({ model }: Prepared, variants: number, positions: number, topK: number): void {
  const { layers, dModel } = model.transformer.shape
  const cells = (layers + 1) * variants * positions
  const hint = 'Look at fewer positions (--positions A:B), list fewer tokens (--top-k) or take fewer variants.'
  if (cells * topK > mostLensEntries) {
    throw new SpliceError('lens/too-large', `${cells} cells of ${topK} tokens are more than the lens shows at once (${mostLensEntries})`, {
      field: 'positions',
      hint
    })
  }
  const bytes = 4 * cells * dModel
  if (bytes <= mostLensBytes) return
  const gigabytes = (bytes / 1e9).toFixed(1)
  throw new SpliceError('lens/too-large', `the residual streams of ${cells} cells would take ${gigabytes} GB of memory`, {
    field: 'positions',
    hint
  })
}

/** What the unembedding multiplies at each label, over the positions that are looked at; rows are variants, or one for all. */
class LensStates implements ActivationSink {
  readonly #range: readonly [number, number]
  readonly #states = new Map<string, { readonly rows: number; readonly values: Float32Array }>()
  readonly #dModel: number

  constructor(range: readonly [number, number], dModel: number) {
    this.#range = range
    this.#dModel = dModel
  }

  wants(): boolean {
    return true
  }

  async take(activations: readonly KeptActivation[]): Promise<void> {
    const [start, end] = this.#range
    for (const { name, values } of activations) {
      const size = (end - start) * this.#dModel
      const kept = new Float32Array(values.rows * size)
      for (let row = 0; row < values.rows; row++) {
        kept.set(values.row(row).subarray(start * this.#dModel, end * this.#dModel), row * size)
      }
      this.#states.set(name, { rows: values.rows, values: kept })
    }
  }

  rowsOf(label: string): number {
    return this.#states.get(lensCapture(label))?.rows ?? 0
  }

  /** Labels that all variants share, and those where each has a row; all are `parted` where there is one row in the end. */
  labels(layers: number): LensLabels {
    const all = [...Array.from({ length: layers }, (_, layer) => `${layer}_pre`), finalLabel]
    const rows = this.rowsOf(finalLabel)
    const isShared = (label: string) => rows > 1 && this.rowsOf(label) === 1
    return { shared: all.filter(isShared), parted: all.filter(label => !isShared(label)) }
  }

  /** [label, row, position, dModel] over positions `[start, end)` of those that are looked at. */
  stack(labels: readonly string[], start: number, end: number): { data: Float32Array; dims: number[] } {
    const rows = this.rowsOf(labels[0] ?? '')
    const positions = this.#range[1] - this.#range[0]
    const size = (end - start) * this.#dModel
    const data = new Float32Array(labels.length * rows * size)
    for (const [at, label] of labels.entries()) {
      const { values } = this.#states.get(lensCapture(label)) ?? { values: new Float32Array(0) }
      for (let row = 0; row < rows; row++) {
        const from = row * positions * this.#dModel
        data.set(values.subarray(from + start * this.#dModel, from + end * this.#dModel), (at * rows + row) * size)
      }
    }
    return { data, dims: [labels.length, rows, end - start, this.#dModel] }
  }
}

/** Reads a run through the lens. Throws what is wrong with its files or its request; no file stays unless all went well. */
export async function readLens({ job, positions, softCap }: LensJob, state: InferenceState, pause: Pause): Promise<InferredLens> {
  const started = performance.now()
  const { save } = job
  const narrowed: InferenceJob = { ...job, topFeatures: 0, save: undefined }
  const opened = await prepare(narrowed, state)
  const { model, tokens } = opened
  const prepared: Prepared = { ...opened, saes: opened.saes.filter(({ spliced, steered }) => spliced || steered) }
  const { shape, unembedding } = model.transformer
  const range = rangeOf(positions, tokens.length)
  const topK = Math.min(job.topK, shape.vocabulary)
  refuseTooLarge(prepared, job.variants.length, range[1] - range[0], topK)
  const cap = softCap ? unembedding.softCap : null
  const request = (): PlanRequest => ({
    transformer: { ...model.transformer, unembedding: { ...unembedding, softCap: cap } },
    saes: prepared.saes,
    capture: () => false,
    topK,
    topFeatures: 0,
    gainsFolded: job.processing.includes('fold_ln'),
    baseline: false,
    logits: save !== undefined,
    predictions: 'lens',
    budget: state.budget
  })
  const key = ['lens', prepared.stamp, prepared.saes.map(saeKey), topK, cap, save !== undefined]
  const { compiled, chosen, warning } = await compileOrFallBack(
    choice =>
      state.plans.get({ key, request, checkpoint: model.checkpoint }, choice, (label, fraction) =>
        pause(`opening ${label}`, fraction * 0.1)
      ),
    chooseProvider(job.provider, job.precision)
  )

  const isOfLens = ({ stage }: CompiledStage) => stage.bestPiece !== null || stage.lensPiece !== null
  const states = new LensStates(range, shape.dModel)
  const blocks: Compiled = { ...compiled, stages: compiled.stages.filter(stage => !isOfLens(stage)) }
  const blocksPause: Pause = (stage, fraction) => pause(stage, fraction * shareOfBlocks)
  await new StageOutputs(prepared, narrowed, state.budget, states).run(blocks, blocksPause)

  const [firstId = 0, lastId = 0] = vocabularyPieces(model.transformer, state.budget)[0] ?? []
  const cells = new LensCells(prepared, narrowed, { range, topK, states, pieceRows: lastId - firstId, rowsAtOnce: state.budget.rows })
  const file = save === undefined ? null : await cells.announce(save.file)
  try {
    await cells.read(compiled.stages.filter(isOfLens), file, pause)
    await file?.finish()
  } catch (thrown) {
    await file?.discard()
    throw thrown
  }
  return {
    model: { path: model.checkpoint.folder, name: model.name },
    ...promptOf(prepared),
    warnings: [...prepared.warnings, ...(warning === null ? [] : [warning])],
    positions: [...range],
    layerOrder: job.layerOrder,
    softCap: cap,
    variants: cells.variants,
    provider: chosen.provider,
    providerReason: chosen.reason,
    milliseconds: performance.now() - started,
    mappedBytes: state.plans.mappedBytes
  }
}

interface CellsOptions {
  readonly range: readonly [number, number]
  readonly topK: number
  readonly states: LensStates
  /** Token ids in a piece of the vocabulary. */
  readonly pieceRows: number
  /** Rows of layers, variants and positions that a piece takes at a time at most. */
  readonly rowsAtOnce: number
}

/** Runs the vocabulary over the kept states and collects the cells. */
class LensCells {
  readonly #prepared: Prepared
  readonly #job: InferenceJob
  readonly #options: CellsOptions
  readonly #labels: LensLabels
  readonly variants: { name: string; final: (Token | null)[]; layers: LensLayer[] }[]

  constructor(prepared: Prepared, job: InferenceJob, options: CellsOptions) {
    this.#prepared = prepared
    this.#job = job
    this.#options = options
    this.#labels = options.states.labels(prepared.model.transformer.shape.layers)
    this.variants = job.variants.map(({ name }) => ({ name, final: [], layers: this.#all.map(emptyLayer) }))
  }

  get #all(): string[] {
    return [...this.#labels.shared, ...this.#labels.parted]
  }

  get #positions(): number {
    const [start, end] = this.#options.range
    return end - start
  }

  get #vocabulary(): number {
    return this.#prepared.model.transformer.shape.vocabulary
  }

  /** A file for whole logits, `<variant>/logit_lens.logits` [layers + 1, position, vocabulary]. */
  announce(file: string): Promise<SafetensorsWriter> {
    const shape = [this.#all.length, this.#positions, this.#vocabulary]
    const tensors = this.#job.variants.map(({ name }) => ({ name: logitsName(name), shape }))
    return SafetensorsWriter.create(file, tensors, { format: 'pt' })
  }

  /** Positions at a time, so that what a piece makes of them stays bounded; where logits are kept, so do those. */
  #step(savesLogits: boolean): number {
    const { states, pieceRows, rowsAtOnce } = this.#options
    const rows = this.#all.reduce((sum, label) => sum + states.rowsOf(label), 0)
    const most = Math.min(rowsAtOnce, mostLogits / (savesLogits ? this.#vocabulary : pieceRows))
    return Math.max(1, Math.floor(most / rows))
  }

  async read(stages: readonly CompiledStage[], file: SafetensorsWriter | null, pause: Pause): Promise<void> {
    const step = this.#step(file !== null)
    for (let start = 0; start < this.#positions; start += step) {
      const end = Math.min(this.#positions, start + step)
      const report = (at: number) => {
        const done = (start + ((end - start) * at) / stages.length) / this.#positions
        return pause('logit lens', shareOfBlocks + (1 - shareOfBlocks) * done)
      }
      await this.#readChunk(stages, start, end, file, report)
    }
  }

  async #readChunk(
    stages: readonly CompiledStage[],
    start: number,
    end: number,
    file: SafetensorsWriter | null,
    report: (at: number) => Promise<void>
  ): Promise<void> {
    const feeds = await this.#feeds(start, end)
    const chunk = new LensChunk(this.#labels, this.#job.variants.length)
    const best = new BestTokens()
    for (const [at, { stage, session }] of stages.entries()) {
      await report(at)
      const { bestPiece, lensPiece } = stage
      // All pieces of the final prediction come before those of the layers, which need its best tokens.
      if (lensPiece !== null && !feeds.has(lensInputs.final)) feeds.set(lensInputs.final, await best.tensor())
      const outputs = await runStage(session, feeds, stage.inputs, stage.outputs)
      if (bestPiece !== null) best.add(bestPiece.start, outputs[bestPiece.logits], outputs[bestPiece.ids])
      if (lensPiece !== null) chunk.add(lensPiece, outputs)
    }
    this.#collect(chunk, start, end)
    if (file !== null) await this.#write(chunk, start, end, file)
  }

  async #feeds(start: number, end: number): Promise<Map<string, Tensor>> {
    const { Tensor } = await onnxRuntime()
    const { states, range } = this.#options
    const stacked = (labels: readonly string[]) => {
      const { data, dims } = states.stack(labels, start, end)
      return new Tensor('float32', data, dims)
    }
    const { tokens } = this.#prepared
    const actual = Array.from({ length: end - start }, (_, at) => BigInt(tokens[range[0] + start + at + 1]?.id ?? 0))
    const feeds = new Map<string, Tensor>([
      [lensInputs.parted, stacked(this.#labels.parted)],
      [lensInputs.actual, new Tensor('int64', BigInt64Array.from(actual), [end - start])]
    ])
    if (this.#labels.shared.length > 0) feeds.set(lensInputs.shared, stacked(this.#labels.shared))
    return feeds
  }

  #collect(chunk: LensChunk, start: number, end: number): void {
    const { range, topK } = this.#options
    const { tokens, model } = this.#prepared
    const token = (id: number) => model.vocabulary.token(id)
    for (const [variant, { layers, final }] of this.variants.entries()) {
      for (let position = start; position < end; position++) {
        const hasActual = range[0] + position + 1 < tokens.length
        for (const [layer, into] of layers.entries()) chunk.read(layer, variant, position - start, into, { topK, hasActual, token })
        const id = layers.at(-1)?.topK.at(-1)?.[0]?.id
        final.push(id === undefined ? null : token(id))
      }
    }
  }

  async #write(chunk: LensChunk, start: number, end: number, file: SafetensorsWriter): Promise<void> {
    for (const [variant, { name, layers }] of this.variants.entries()) {
      for (const layer of layers.keys()) {
        for (let position = start; position < end; position++) {
          const values = chunk.logits(layer, variant, position - start, this.#vocabulary)
          await file.writePart(logitsName(name), (layer * this.#positions + position) * this.#vocabulary, values)
        }
      }
    }
  }
}

function logitsName(variant: string): string {
  return `${variant}/logit_lens.logits`
}

function emptyLayer(label: string): LensLayer {
  return { label, topK: [], klToFinal: [], final: { logProbs: [], ranks: [] }, actual: { logProbs: [], ranks: [] } }
}

async function runStage(session: StageSession, feeds: Feeds, inputs: readonly string[], outputs: readonly string[]) {
  return session.run(pick(feeds, inputs), [...outputs])
}

/** The likeliest token of each position over all pieces, [row, position]. */
class BestTokens {
  #logits = new Float32Array(0)
  #ids = new BigInt64Array(0)
  #dims: readonly number[] = []

  add(start: number, logits: Tensor | undefined, ids: Tensor | undefined): void {
    if (!(logits?.data instanceof Float32Array && ids?.data instanceof BigInt64Array)) throw new Error('the session gave no best tokens')
    if (this.#logits.length === 0) {
      this.#dims = logits.dims.slice(0, 2)
      this.#logits = new Float32Array(logits.data.length).fill(Number.NEGATIVE_INFINITY)
      this.#ids = new BigInt64Array(logits.data.length)
    }
    for (const [at, logit] of logits.data.entries()) {
      if (!(logit > (this.#logits[at] ?? Number.NaN))) continue
      this.#logits[at] = logit
      this.#ids[at] = BigInt(start) + (ids.data[at] ?? 0n)
    }
  }

  async tensor(): Promise<Tensor> {
    const { Tensor } = await onnxRuntime()
    return new Tensor('int64', this.#ids, this.#dims)
  }
}
