/** The textbook metrics of an SAE, summed in double precision over as many sequences as come. */
import { z } from 'zod'
import type { TextbookMetrics } from '../../contract/evaluation.ts'
import { type MaybeNumber, toMaybeNumber } from '../../contract/numbers.ts'
import { at, type SequenceNumbers } from './sequence-numbers.ts'

/** A number as it is, not finite ones too. */
export const double = z.custom<number>(value => typeof value === 'number')

export const textbookState = z.object({
  tokens: z.int(),
  positions: z.int(),
  predictions: z.int(),
  active: double,
  l1: double,
  squaredError: double,
  cosine: double,
  /** Sum of |x|^2, and of x. */
  square: double,
  sum: z.instanceof(Float64Array),
  clean: double,
  spliced: double,
  zeroed: double,
  divergence: double,
  zeroedDivergence: double
})
type State = z.infer<typeof textbookState>

/** A quotient, null over zero. */
export function ratio(numerator: number, denominator: number): MaybeNumber {
  return denominator === 0 ? null : toMaybeNumber(numerator / denominator)
}

export class TextbookSums {
  readonly state: State

  /** Sums over targets of `width` features, from zero or from where they were. */
  constructor(width: number, state?: State) {
    this.state = state ?? {
      tokens: 0,
      positions: 0,
      predictions: 0,
      active: 0,
      l1: 0,
      squaredError: 0,
      cosine: 0,
      square: 0,
      sum: new Float64Array(width),
      clean: 0,
      spliced: 0,
      zeroed: 0,
      divergence: 0,
      zeroedDivergence: 0
    }
  }

  /** Adds the tokens that `counts` counts; a loss counts where both the token that predicts and the predicted one do. */
  add(sequence: SequenceNumbers, counts: (id: number) => boolean): void {
    const { state } = this
    state.tokens += sequence.length
    for (const [token, id] of sequence.ids.entries()) {
      if (!counts(id)) continue
      state.positions += 1
      state.active += at(sequence.active, token)
      state.l1 += at(sequence.l1, token)
      state.squaredError += at(sequence.squaredError, token)
      state.cosine += cosineOf(sequence, token)
      this.#addTarget(sequence, token)
      state.divergence += sequence.divergence('spliced', token)
      state.zeroedDivergence += sequence.divergence('zeroed', token)
      const next = sequence.ids[token + 1]
      if (next === undefined || !counts(next)) continue
      state.predictions += 1
      state.clean += sequence.loss('clean', token)
      state.spliced += sequence.loss('spliced', token)
      state.zeroed += sequence.loss('zeroed', token)
    }
  }

  #addTarget({ target, width }: SequenceNumbers, token: number): void {
    const { sum } = this.state
    for (let feature = 0; feature < width; feature++) {
      const x = at(target, token * width + feature)
      sum[feature] = at(sum, feature) + x
      this.state.square += x * x
    }
  }

  result(): TextbookMetrics {
    const { state } = this
    const { tokens, positions, predictions } = state
    const deviation = positions === 0 ? 0 : state.square - state.sum.reduce((total, x) => total + x * x, 0) / positions
    const explained = ratio(state.squaredError, deviation)
    return {
      tokens,
      positions,
      predictions,
      l0: ratio(state.active, positions),
      l1: ratio(state.l1, positions),
      squaredError: ratio(state.squaredError, positions),
      mse: ratio(state.squaredError, positions * state.sum.length),
      explainedVariance: explained === null ? null : toMaybeNumber(1 - Number(explained)),
      cosineSimilarity: ratio(state.cosine, positions),
      ceClean: ratio(state.clean, predictions),
      ceSpliced: ratio(state.spliced, predictions),
      ceZeroAblated: ratio(state.zeroed, predictions),
      ceScore: ratio(state.zeroed - state.spliced, state.zeroed - state.clean),
      klDivergence: ratio(state.divergence, positions),
      klZeroAblated: ratio(state.zeroedDivergence, positions)
    }
  }
}

function cosineOf(sequence: SequenceNumbers, token: number): number {
  const norms = Math.sqrt(at(sequence.targetSquare, token)) * Math.sqrt(at(sequence.outputSquare, token))
  return norms === 0 ? 0 : at(sequence.dot, token) / norms
}
