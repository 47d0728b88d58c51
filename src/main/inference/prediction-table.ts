/** Collects what the vocabulary's pieces said, for all positions and variants, and reads it out per variant. */
import type { Tensor } from 'onnxruntime-node'
import { toMaybeNumber } from '../../contract/numbers.ts'
import type { Token, VariantComparison, VariantResult } from '../../contract/run.ts'
import { RowTensor } from './activation.ts'
import type { PieceOutputs } from './prediction-graph.ts'
import { areNumbersAt, divergenceAt, logitMeanAt, type PieceNumbers, type Prediction, predictionAt } from './predictions.ts'

type Outputs = Readonly<Record<string, Tensor>>

/** Positions `[start, end)`, and per variant the pieces' numbers over them. */
interface Range {
  readonly start: number
  readonly end: number
  readonly variants: PieceNumbers[][]
  /** Whether the whole logits kept of these positions are centred already. */
  areLogitsCentred: boolean
}

export class PredictionTable {
  readonly #ranges: Range[] = []
  readonly #variants: number
  /** Whether each position counts in means; as long as the prompt. */
  readonly #measured: readonly boolean[]
  readonly #topK: number
  readonly #logits: readonly Float32Array[]
  readonly #vocabulary: number
  #targets = new RowTensor(new Float32Array(0), [1])

  constructor(measured: readonly boolean[], variants: number, topK: number, vocabulary: number, keepLogits: boolean) {
    this.#measured = measured
    this.#variants = variants
    this.#topK = topK
    this.#vocabulary = vocabulary
    this.#logits = keepLogits ? Array.from({ length: variants }, () => new Float32Array(measured.length * vocabulary)) : []
  }

  /** The actual next tokens' logits, [row, position]. */
  setTargets(target: RowTensor): void {
    this.#targets = target
  }

  /** Takes in one piece over positions `[start, end)`. */
  add(piece: PieceOutputs, outputs: Outputs, start: number, end: number): void {
    let range = this.#ranges.find(candidate => candidate.start === start)
    if (range === undefined) {
      range = { start, end, variants: Array.from({ length: this.#variants }, () => []), areLogitsCentred: false }
      this.#ranges.push(range)
    }
    const take = (name: string) => {
      const tensor = outputs[name]
      if (tensor === undefined) throw new Error(`the session gave no ${name}`)
      return RowTensor.of(tensor)
    }
    const { ranking } = piece
    if (ranking === null) throw new Error('a prediction without a ranking has no place in the table')
    const tensors = {
      topLogits: take(ranking.topLogits),
      topIds: take(ranking.topIds),
      maximum: take(piece.maximum),
      sumExp: take(piece.sumExp),
      logitSum: piece.logitSum === null ? null : take(piece.logitSum),
      greater: take(ranking.greater),
      weightedDifference: piece.weightedDifference === null ? null : take(piece.weightedDifference)
    }
    for (const [variant, pieces] of range.variants.entries()) {
      pieces.push({
        start: piece.start,
        rows: piece.rows,
        k: tensors.topLogits.shape[1] ?? 0,
        topLogits: tensors.topLogits.row(variant),
        topIds: tensors.topIds.row(variant),
        maximum: tensors.maximum.row(variant),
        sumExp: tensors.sumExp.row(variant),
        logitSum: tensors.logitSum?.row(variant) ?? null,
        greater: tensors.greater.row(variant),
        weightedDifference: tensors.weightedDifference?.row(variant) ?? null
      })
    }
    if (piece.logits !== null) this.#keepLogits(take(piece.logits), piece, start, end)
  }

  #keepLogits(logits: RowTensor, piece: PieceOutputs, start: number, end: number): void {
    for (const [variant, kept] of this.#logits.entries()) {
      const row = logits.row(variant)
      for (let position = start; position < end; position++) {
        const from = (position - start) * piece.rows
        kept.set(row.subarray(from, from + piece.rows), position * this.#vocabulary + piece.start)
      }
    }
  }

  /** Whole logits [position, vocabulary] per variant, where they were asked for; to be read when every piece is in. */
  get logits(): readonly Float32Array[] {
    for (const range of this.#ranges.filter(({ areLogitsCentred }) => !areLogitsCentred)) {
      for (const [variant, logits] of this.#logits.entries()) {
        for (let position = range.start; position < range.end; position++) {
          const mean = logitMeanAt(range.variants[variant] ?? [], position - range.start)
          const row = logits.subarray(position * this.#vocabulary, (position + 1) * this.#vocabulary)
          if (mean !== 0) for (let id = 0; id < row.length; id++) row[id] = (row[id] ?? 0) - mean
        }
      }
      range.areLogitsCentred = true
    }
    return this.#logits
  }

  #predictions(variant: number): Prediction[] {
    const targets = this.#targets.row(variant)
    return this.#measured.map((_, position) => {
      const range = this.#rangeOf(position)
      return predictionAt(range.variants[variant] ?? [], position - range.start, targets[position] ?? Number.NaN, this.#topK)
    })
  }

  #rangeOf(position: number): Range {
    const range = this.#ranges.find(candidate => position >= candidate.start && position < candidate.end)
    if (range === undefined) throw new Error(`no prediction covers position ${position}`)
    return range
  }

  /** The variant's log-probs, ranks, top-k and loss; `name` gives a token by its id. */
  result(variant: number, name: string, token: (id: number) => Token): VariantResult {
    const predictions = this.#predictions(variant)
    const before = predictions.slice(0, -1)
    const losses = before.map(prediction => -prediction.targetLogProb)
    return {
      name,
      loss: losses.length === 0 ? null : toMaybeNumber(mean(losses)),
      logProbs: [null, ...before.map(prediction => toMaybeNumber(prediction.targetLogProb))],
      ranks: [null, ...before.map(prediction => prediction.targetRank)],
      topK: predictions.map(prediction =>
        prediction.top.map(({ id, logit, logProb }) => ({
          id,
          text: token(id).text,
          logit: toMaybeNumber(logit),
          logProb: toMaybeNumber(logProb)
        }))
      )
    }
  }

  /** KL(baseline || variant) at every position; all zero where no variant splices anything. */
  comparison(
    variant: number,
    baseline: number,
    name: string,
    losses: { variant: number | null; baseline: number | null }
  ): VariantComparison {
    const divergences = this.#measured.map((_, position) => {
      const range = this.#rangeOf(position)
      return divergenceAt(range.variants[baseline] ?? [], range.variants[variant] ?? [], position - range.start)
    })
    const counted = divergences.filter((_, position) => this.#measured[position])
    const increase = losses.variant === null || losses.baseline === null ? null : losses.variant - losses.baseline
    return {
      variant: name,
      klDivergence: divergences.map(toMaybeNumber),
      meanKl: counted.length === 0 ? null : toMaybeNumber(mean(counted)),
      positions: counted.length,
      lossIncrease: toMaybeNumber(increase)
    }
  }

  /** Positions at which some variant's logits are not numbers. */
  positionsWithoutNumbers(): number[] {
    return this.#measured.flatMap((_, position) => {
      const range = this.#rangeOf(position)
      return range.variants.every(pieces => areNumbersAt(pieces, position - range.start)) ? [] : [position]
    })
  }
}

/** The arithmetic mean; NaN of nothing. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
