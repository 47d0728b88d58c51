/** An SAE's reading of one variant, from what its graph measured: L0, MSE, explained variance, cosine, strongest features. */
import type { Tensor } from 'onnxruntime-node'
import { type MaybeNumber, toMaybeNumber } from '../../contract/numbers.ts'
import type { SaeMeasures } from '../sae/splice.ts'
import { RowTensor } from './activation.ts'
import type { InferenceResult } from './messages.ts'

type MeasureName = 'active' | 'squaredError' | 'squaredDeviation' | 'squaredDeviationOfAll' | 'dot' | 'targetSquare' | 'outputSquare'
type Reading = InferenceResult['saes'][number]['byVariant'][string]

/** 1 - error / deviation; null where nothing deviates. */
function explained(squaredError: number, squaredDeviation: number): MaybeNumber {
  return squaredDeviation === 0 ? null : toMaybeNumber(1 - squaredError / squaredDeviation)
}

/** Reads an SAE's measures of `width` features. Metrics run over the measured positions; null where no position, or no variance, is left. */
export class SaeReadings {
  readonly #rows: Readonly<Record<MeasureName, RowTensor>>
  readonly #strongest: { readonly activations: RowTensor; readonly indices: RowTensor } | null
  readonly #measured: readonly boolean[]
  readonly #width: number

  constructor(measures: SaeMeasures, outputs: Readonly<Record<string, Tensor>>, measured: readonly boolean[], width: number) {
    const take = (name: string) => {
      const tensor = outputs[name]
      if (tensor === undefined) throw new Error(`the session gave no ${name}`)
      return RowTensor.of(tensor)
    }
    this.#rows = {
      active: take(measures.active),
      squaredError: take(measures.squaredError),
      squaredDeviation: take(measures.squaredDeviation),
      squaredDeviationOfAll: take(measures.squaredDeviationOfAll),
      dot: take(measures.dot),
      targetSquare: take(measures.targetSquare),
      outputSquare: take(measures.outputSquare)
    }
    const top = measures.strongest
    this.#strongest = top === null ? null : { activations: take(top.activations), indices: take(top.indices) }
    this.#measured = measured
    this.#width = width
  }

  of(variant: number): Reading {
    const counted = this.#measured.flatMap((counts, position) => (counts ? [position] : []))
    const total = (name: MeasureName) => this.#total(variant, name, counted)
    const cosines = counted.reduce((sum, position) => sum + this.#cosine(variant, position), 0)
    const n = counted.length
    const perPosition = (value: number) => (n === 0 ? null : toMaybeNumber(value / n))
    return {
      l0: perPosition(total('active')),
      mse: perPosition(total('squaredError') / this.#width),
      explainedVariance: n === 0 ? null : explained(total('squaredError'), total('squaredDeviation')),
      cosineSimilarity: perPosition(cosines),
      positions: n,
      withSpecial: this.#overAll(variant),
      active: Array.from({ length: this.#measured.length }, (_, at) => this.#rows.active.row(variant)[at] ?? 0),
      features: this.#features(variant)
    }
  }

  /** Mean norm of what is reconstructed over the measured positions; null where there are none. */
  meanNorm(variant: number): number | null {
    const norms = this.#measured.flatMap((counts, at) => (counts ? [Math.sqrt(this.#rows.targetSquare.row(variant)[at] ?? 0)] : []))
    return norms.length === 0 ? null : norms.reduce((sum, norm) => sum + norm, 0) / norms.length
  }

  /** All features that the graph ranked and that are active: those of position i are entries `starts[i]` to `starts[i + 1]`, strongest first. */
  activeFeatures(variant: number): {
    active: Int32Array<ArrayBuffer>
    starts: Int32Array<ArrayBuffer>
    features: Int32Array<ArrayBuffer>
    activations: Float32Array<ArrayBuffer>
  } {
    const positions = this.#measured.length
    const active = Int32Array.from({ length: positions }, (_, at) => this.#rows.active.row(variant)[at] ?? 0)
    const strongest = this.#strongest
    const k = strongest?.activations.shape[1] ?? 0
    const starts = new Int32Array(positions + 1)
    for (let at = 0; at < positions; at++) starts[at + 1] = (starts[at] ?? 0) + Math.min(k, active[at] ?? 0)
    const features = new Int32Array(starts[positions] ?? 0)
    const activations = new Float32Array(features.length)
    const from = { values: strongest?.activations.row(variant), indices: strongest?.indices.row(variant) }
    for (let at = 0; at < positions; at++) {
      const [start = 0, end = 0] = starts.subarray(at, at + 2)
      for (let entry = start; entry < end; entry++) {
        const place = at * k + entry - start
        features[entry] = from.indices?.[place] ?? 0
        activations[entry] = from.values?.[place] ?? 0
      }
    }
    return { active, starts, features, activations }
  }

  #total(variant: number, name: MeasureName, positions: readonly number[]): number {
    const row = this.#rows[name].row(variant)
    return positions.reduce((sum, position) => sum + (row[position] ?? 0), 0)
  }

  #overAll(variant: number): Reading['withSpecial'] {
    const all = [...this.#measured.keys()]
    const total = (name: MeasureName) => this.#total(variant, name, all)
    return {
      l0: toMaybeNumber(total('active') / all.length),
      explainedVariance: explained(total('squaredError'), total('squaredDeviationOfAll')),
      positions: all.length
    }
  }

  #cosine(variant: number, position: number): number {
    const at = (name: MeasureName) => this.#rows[name].row(variant)[position] ?? 0
    const norms = Math.sqrt(at('targetSquare')) * Math.sqrt(at('outputSquare'))
    return norms === 0 ? 0 : at('dot') / norms
  }

  #features(variant: number): Reading['features'] {
    const strongest = this.#strongest
    if (strongest === null) return this.#measured.map(() => [])
    const activations = strongest.activations.row(variant)
    const indices = strongest.indices.row(variant)
    const k = strongest.activations.shape[1] ?? 0
    return this.#measured.map((_, position) =>
      Array.from({ length: k }, (_, place) => ({
        index: indices[position * k + place] ?? 0,
        activation: activations[position * k + place] ?? 0
      }))
        .filter(feature => feature.activation > 0)
        .map(({ index, activation }) => ({ index, activation: toMaybeNumber(activation) }))
    )
  }
}
