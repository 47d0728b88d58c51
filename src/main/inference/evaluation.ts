/**
 * One pass of an evaluation: several sequences side by side, each run clean, spliced and zero-ablated as rows that share the work
 * up to the splice. What comes out is numbers per position; sums over them are the engine's.
 */
import type { Tensor } from 'onnxruntime-node'
import { attach } from '../sae/fit.ts'
import { RowTensor } from './activation.ts'
import type { Compiled } from './compiled.ts'
import type { EvaluatedPass, EvaluationJob, PassNumbers } from './evaluation-messages.ts'
import { type Feeds, inPositionRanges, pick } from './feeds.ts'
import type { OpenModel } from './models.ts'
import type { StageSession } from './open-sessions.ts'
import type { PlanRequest } from './plan.ts'
import { type PieceOutputs, predictionInputs } from './prediction-graph.ts'
import { divergenceAt, logSumExpAt, type PieceMass } from './predictions.ts'
import { compileOrFallBack, type InferenceState, type Pause } from './run.ts'
import { sequenceFeeds } from './sequence-feeds.ts'
import { chooseProvider, onnxRuntime } from './sessions.ts'
import { type PlannedSae, spliceInputs } from './stage-graph.ts'

type SaeNumbers = Omit<PassNumbers, 'logProbs' | 'divergences'>

/** Most logits at a time: 24 MB, since the system hands larger blocks out anew, page by page, each time. */
const mostLogits = 6e6

/** Runs a pass. Throws what is wrong with its files. */
export async function evaluatePass(job: EvaluationJob, state: InferenceState, pause: Pause): Promise<EvaluatedPass> {
  const reading = { processing: new Set(job.processing), layerOrder: job.layerOrder, hookMlpIn: true }
  const model = await state.models.model(job.model, reading)
  const { name, path, ...options } = job.sae
  const { sae, stamp } = await state.models.sae(path, options, job.cacheFolder)
  const planned: PlannedSae = { name, ...attach(sae, model.hookPoints, model.name), sae, spliced: true, edited: false, steered: false }
  const request = (): PlanRequest => ({
    transformer: model.transformer,
    saes: [planned],
    capture: () => false,
    topK: 0,
    topFeatures: 0,
    gainsFolded: job.processing.includes('fold_ln'),
    baseline: true,
    logits: false,
    evaluates: true,
    budget: state.budget
  })
  const parts = [name, planned.hook, planned.target, path, sae.normFactor, sae.normalisation]
  const { compiled, chosen, warning } = await compileOrFallBack(
    choice =>
      state.plans.get(
        { key: ['evaluation', model.stamp, stamp, parts], request, checkpoint: model.checkpoint },
        choice,
        (label, fraction) => pause(`opening ${label}`, fraction)
      ),
    chooseProvider(job.provider, job.precision)
  )
  const numbers = await new PassRun(job, planned).run(compiled, await feedsOf(job, model, planned), pause)
  return { numbers, provider: chosen.provider, providerReason: chosen.reason, warning, mappedBytes: state.plans.mappedBytes }
}

async function feedsOf(job: EvaluationJob, model: OpenModel, sae: PlannedSae): Promise<Map<string, Tensor>> {
  const { Tensor } = await onnxRuntime()
  const { ids, length, rows, counted } = job
  const positions = ids.length
  // What follows the last token of a sequence is of the next one, and nobody asks for it.
  const targets = BigInt64Array.from([...ids.subarray(1), 0], BigInt)
  const inputs = spliceInputs(sae.name)
  const masks = new Uint8Array(rows.length * positions)
  for (const [row, { mask }] of rows.entries()) masks.set(mask, row * positions)
  return new Map<string, Tensor>([
    ...(await sequenceFeeds(ids, length, model)),
    [predictionInputs.targets, new Tensor('int64', targets, [positions])],
    [predictionInputs.baseline, new Tensor('int64', BigInt64Array.of(0n), [1])],
    ['counted', new Tensor('float32', counted, [counted.length / positions, positions])],
    [inputs.mask, new Tensor('bool', masks, [rows.length, positions, 1])],
    [
      inputs.zero,
      new Tensor(
        'bool',
        Uint8Array.from(rows, ({ zero }) => Number(zero)),
        [rows.length, 1, 1]
      )
    ]
  ])
}

/** Feeds the stages one after the other and collects what they give. */
class PassRun {
  readonly #job: EvaluationJob
  readonly #sae: PlannedSae
  readonly #logProbs: Float64Array
  readonly #divergences: Float64Array
  /** What the pieces of the vocabulary said, by the first position of what they said it of; per row, piece by piece. */
  readonly #masses = new Map<number, { end: number; rows: PieceMass[][] }>()
  #targets: RowTensor | null = null
  #saeNumbers: SaeNumbers | null = null

  constructor(job: EvaluationJob, sae: PlannedSae) {
    this.#job = job
    this.#sae = sae
    this.#logProbs = new Float64Array(job.rows.length * job.ids.length)
    this.#divergences = new Float64Array(job.rows.length * job.ids.length)
  }

  async run({ stages }: Compiled, feeds: Map<string, Tensor>, pause: Pause): Promise<PassNumbers> {
    for (const [index, { stage, session }] of stages.entries()) {
      await pause(stage.label, index / stages.length)
      if (stage.perPosition) {
        const most = mostLogits / Math.max(...stage.pieces.map(piece => piece.rows))
        for await (const { start, end, sliced } of inPositionRanges(feeds, most)) {
          this.#addPieces(stage.pieces, await runSession(session, sliced, stage), start, end)
          if (end < this.#job.ids.length) await pause(stage.label, index / stages.length)
        }
        continue
      }
      const outputs = await runSession(session, feeds, stage)
      for (const [name, output] of stage.carries) {
        const carried = outputs[output]
        if (carried === undefined) continue
        feeds.set(name, carried)
        if (name === 'target') this.#targets = RowTensor.of(carried)
      }
      const evaluation = stage.evaluations.get(this.#sae.name)
      if (evaluation !== undefined) {
        this.#saeNumbers = {
          active: takeRow(outputs, evaluation.active),
          l1: takeRow(outputs, evaluation.l1),
          squaredError: takeRow(outputs, evaluation.squaredError),
          dot: takeRow(outputs, evaluation.dot),
          targetSquare: takeRow(outputs, evaluation.targetSquare),
          outputSquare: takeRow(outputs, evaluation.outputSquare),
          target: takeRow(outputs, evaluation.target),
          featureCounts: take(outputs, evaluation.featureCounts).data
        }
      }
      this.#addPieces(stage.pieces, outputs, 0, this.#job.ids.length)
    }
    if (this.#saeNumbers === null) throw new Error(`no stage evaluated ${this.#sae.name}`)
    for (const [start, { end, rows }] of this.#masses) this.#finishRange(start, end, rows)
    return { ...this.#saeNumbers, logProbs: this.#logProbs, divergences: this.#divergences }
  }

  #addPieces(pieces: readonly PieceOutputs[], outputs: Outputs, start: number, end: number): void {
    for (const piece of pieces) {
      const range = this.#masses.get(start) ?? { end, rows: this.#job.rows.map((): PieceMass[] => []) }
      this.#masses.set(start, range)
      const [maximum, sumExp] = [take(outputs, piece.maximum), take(outputs, piece.sumExp)]
      const difference = piece.weightedDifference === null ? null : take(outputs, piece.weightedDifference)
      for (const [row, masses] of range.rows.entries()) {
        masses.push({ maximum: maximum.row(row), sumExp: sumExp.row(row), weightedDifference: difference?.row(row) ?? null })
      }
    }
  }

  #finishRange(start: number, end: number, rows: readonly (readonly PieceMass[])[]): void {
    const positions = this.#job.ids.length
    for (const [row, masses] of rows.entries()) {
      const targets = this.#targets?.row(row)
      for (let position = start; position < end; position++) {
        const place = row * positions + position
        this.#logProbs[place] = (targets?.[position] ?? Number.NaN) - logSumExpAt(masses, position - start)
        this.#divergences[place] = row === 0 ? 0 : divergenceAt(rows[0] ?? [], masses, position - start)
      }
    }
  }
}

type Outputs = Readonly<Record<string, Tensor>>

function runSession(session: StageSession, feeds: Feeds, { inputs, outputs }: Compiled['stages'][number]['stage']): Promise<Outputs> {
  return session.run(pick(feeds, inputs), outputs)
}

function take(outputs: Outputs, name: string): RowTensor {
  const tensor = outputs[name]
  if (tensor === undefined) throw new Error(`the session gave no ${name}`)
  return RowTensor.of(tensor)
}

function takeRow(outputs: Outputs, name: string): Float32Array {
  return take(outputs, name).row(0)
}
