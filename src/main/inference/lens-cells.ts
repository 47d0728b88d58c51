/** Merges what the vocabulary's pieces say of the lens's layers, over some positions at a time, into log-probs, ranks, top-k and divergence. */
import type { Tensor } from 'onnxruntime-node'
import type { LensLayer } from '../../contract/logit-lens.ts'
import { toMaybeNumber } from '../../contract/numbers.ts'
import type { Token } from '../../contract/run.ts'
import { RowTensor } from './activation.ts'
import type { LensOutputs, LensPiece } from './lens-graph.ts'
import { divergenceAt, logitMeanAt, logSumExpAt, type PieceNumbers, predictionAt } from './predictions.ts'

type Outputs = Readonly<Record<string, Tensor>>

/** What the pieces said of one layer of one variant, [position] each. */
interface LayerNumbers {
  readonly pieces: (PieceNumbers & { readonly finalGreater: Float32Array; readonly logits: Float32Array | null })[]
  actualLogit: Float32Array
  finalLogit: Float32Array
}

/** The layers' labels, by whether all variants share them. */
export interface LensLabels {
  readonly shared: readonly string[]
  readonly parted: readonly string[]
}

/** One chunk of positions. Layers are in order: the shared ones, then the parted ones, the last of which is the final prediction. */
export class LensChunk {
  readonly #layers: LayerNumbers[][]
  readonly #labels: LensLabels
  readonly #variants: number

  constructor(labels: LensLabels, variants: number) {
    this.#labels = labels
    this.#variants = variants
    this.#layers = [...labels.shared, ...labels.parted].map(() =>
      Array.from({ length: variants }, () => ({ pieces: [], actualLogit: new Float32Array(0), finalLogit: new Float32Array(0) }))
    )
  }

  /** Takes in one piece. */
  add(piece: LensPiece, outputs: Outputs): void {
    const { shared, parted } = this.#labels
    if (piece.shared !== null) this.#addGroup(piece, piece.shared, outputs, 0, shared.length)
    this.#addGroup(piece, piece.parted, outputs, shared.length, parted.length)
  }

  #addGroup({ start, rows }: LensPiece, names: LensOutputs, outputs: Outputs, first: number, count: number): void {
    const take = (name: string): LayerRows => {
      const tensor = outputs[name]
      if (tensor === undefined) throw new Error(`the session gave no ${name}`)
      return new LayerRows(tensor)
    }
    const optional = (name: string | null) => (name === null ? null : take(name))
    const topLogits = take(names.topLogits)
    const [topIds, maximum, sumExp] = [take(names.topIds), take(names.maximum), take(names.sumExp)]
    const [logitSum, difference] = [optional(names.logitSum), take(names.weightedDifference)]
    const [actualLogit, actualGreater] = [take(names.actualLogit), take(names.actualGreater)]
    const [finalLogit, finalGreater, logits] = [take(names.finalLogit), take(names.finalGreater), optional(names.logits)]
    for (let layer = 0; layer < count; layer++) {
      for (let variant = 0; variant < this.#variants; variant++) {
        const its = this.#layers[first + layer]?.[variant]
        if (its === undefined) continue
        const of = (values: LayerRows) => values.of(layer, variant)
        its.actualLogit = of(actualLogit)
        its.finalLogit = of(finalLogit)
        its.pieces.push({
          start,
          rows,
          k: topLogits.last,
          topLogits: of(topLogits),
          topIds: of(topIds),
          maximum: of(maximum),
          sumExp: of(sumExp),
          logitSum: logitSum === null ? null : of(logitSum),
          weightedDifference: of(difference),
          greater: of(actualGreater),
          finalGreater: of(finalGreater),
          logits: logits === null ? null : of(logits)
        })
      }
    }
  }

  /** Adds the cells of a layer at one position to its lists. `hasActual`: a token follows there. */
  read(layer: number, variant: number, position: number, into: LensLayer, want: CellWishes): void {
    const its = this.#layers[layer]?.[variant]
    const final = this.#layers.at(-1)?.[variant]
    if (its === undefined || final === undefined) throw new Error(`the lens has no layer ${layer}`)
    const { topK, hasActual, token } = want
    const prediction = predictionAt(its.pieces, position, its.actualLogit[position] ?? Number.NaN, topK)
    const isNumber = prediction.top.length > 0
    into.topK.push(
      prediction.top.map(({ id, logit, logProb }) => ({
        id,
        text: token(id).text,
        logit: toMaybeNumber(logit),
        logProb: toMaybeNumber(logProb)
      }))
    )
    into.klToFinal.push(toMaybeNumber(divergenceAt(final.pieces, its.pieces, position)))
    into.actual.logProbs.push(hasActual ? toMaybeNumber(prediction.targetLogProb) : null)
    into.actual.ranks.push(hasActual ? prediction.targetRank : null)
    const finalRank = its.pieces.reduce((rank, { finalGreater }) => rank + (finalGreater[position] ?? 0), 0)
    const finalLogProb = (its.finalLogit[position] ?? Number.NaN) - logSumExpAt(its.pieces, position)
    into.final.logProbs.push(toMaybeNumber(isNumber ? finalLogProb : Number.NaN))
    into.final.ranks.push(isNumber ? finalRank : null)
  }

  /** Whole logits of a layer at one position, with center_unembed where the reading has it. */
  logits(layer: number, variant: number, position: number, vocabulary: number): Float32Array {
    const whole = new Float32Array(vocabulary)
    const pieces = this.#layers[layer]?.[variant]?.pieces ?? []
    const mean = logitMeanAt(pieces, position)
    for (const { start, rows, logits } of pieces) {
      if (logits !== null) whole.set(logits.subarray(position * rows, (position + 1) * rows), start)
    }
    if (mean !== 0) for (const [id, logit] of whole.entries()) whole[id] = logit - mean
    return whole
  }
}

/** What of a cell is wanted, and how tokens are called. */
export interface CellWishes {
  readonly topK: number
  readonly hasActual: boolean
  readonly token: (id: number) => Token
}

/** A tensor [layer, row, position, ...] seen by layer and row; one row stands for all variants. */
class LayerRows {
  readonly #data: Float32Array
  readonly #layers: number
  readonly #rows: number
  /** Size of the last axis. */
  readonly last: number

  constructor(tensor: Tensor) {
    this.#data = RowTensor.of(tensor).data
    this.#layers = tensor.dims[0] ?? 1
    this.#rows = tensor.dims[1] ?? 1
    this.last = tensor.dims.at(-1) ?? 0
  }

  of(layer: number, variant: number): Float32Array {
    const size = this.#data.length / this.#layers / this.#rows
    const at = layer * this.#rows + (this.#rows === 1 ? 0 : variant)
    return this.#data.subarray(at * size, (at + 1) * size)
  }
}
