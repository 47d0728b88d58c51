/**
 * SAELens's metrics as `run_evals` of sae_lens 6.18 defines them (`evals.py`), over batches of sequences. Losses and norms are means
 * over all tokens; these depend on the batches:
 *   mse                           of a token |x - recons|^2 / N with N tokens in its batch; then the mean over tokens
 *   explained_variance_legacy     of a token 1 - |x - recons|^2 / |x - m|^2 with m the mean of its batch; then the mean over tokens
 *   relative_reconstruction_bias  of a batch mean |recons|^2 / mean x recons; then the mean over batches
 *   explained_variance            1 - E|x - recons|^2 / (E|x|^2 - (E x_i^2)^2), where E runs over batches and, in the last term,
 *                                 over features too: the square of the mean square, not of the mean
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { z } from 'zod'
import type { SaelensMetrics } from '../../contract/evaluation.ts'
import { toMaybeNumber } from '../../contract/numbers.ts'
import { at, type RowRoles, type SequenceNumbers } from './sequence-numbers.ts'
import { double, ratio } from './textbook-sums.ts'

export const saelensState = z.object({
  tokens: z.int(),
  batches: z.int(),
  predictions: z.int(),
  /** Sums over tokens. */
  l0: double,
  l1: double,
  normIn: double,
  normOut: double,
  normRatio: double,
  cosine: double,
  mse: double,
  legacyExplainedVariance: double,
  klSpliced: double,
  klAblated: double,
  /** Sums over predictions. */
  clean: double,
  spliced: double,
  ablated: double,
  /** Sums over batches. */
  bias: double,
  meanSquare: double,
  meanSquaredError: double
})
type State = z.infer<typeof saelensState>

/** A norm below this divides as 1. */
const smallNorm = 1e-4

export class SaelensSums {
  readonly state: State
  /** The way that this reading splices. */
  readonly #spliced: keyof RowRoles

  constructor(spliced: 'splicedAll' | 'splicedExcluding', state?: State) {
    this.#spliced = spliced
    this.state = state ?? saelensState.parse(Object.fromEntries(Object.keys(saelensState.shape).map(name => [name, 0])))
  }

  /** Adds one batch: of its sequences the tokens that `counts` counts. Lets others have the thread between sequences. */
  async addBatch(sequences: readonly SequenceNumbers[], counts: (id: number) => boolean): Promise<void> {
    const batch = sequences.map(sequence => ({
      sequence,
      tokens: sequence.ids.flatMap((id, token) => (counts(id) ? [token] : []))
    }))
    const size = batch.reduce((total, { tokens }) => total + tokens.length, 0)
    if (size === 0) return
    this.state.tokens += size
    this.state.batches += 1
    const mean = await meanTarget(batch, size)
    let [square, outputSquare, dot, squaredError] = [0, 0, 0, 0]
    for (const { sequence, tokens } of batch) {
      for (const token of tokens) {
        this.#addToken(sequence, token, size, mean)
        square += at(sequence.targetSquare, token)
        outputSquare += at(sequence.outputSquare, token)
        dot += at(sequence.dot, token)
        squaredError += at(sequence.squaredError, token)
      }
      await nextTurn()
    }
    this.state.bias += outputSquare / dot
    this.state.meanSquare += square / size
    this.state.meanSquaredError += squaredError / size
  }

  #addToken(sequence: SequenceNumbers, token: number, size: number, mean: Float64Array): void {
    const { state } = this
    const normIn = Math.sqrt(at(sequence.targetSquare, token))
    const normOut = Math.sqrt(at(sequence.outputSquare, token))
    const squaredError = at(sequence.squaredError, token)
    state.l0 += at(sequence.active, token)
    state.l1 += at(sequence.l1, token)
    state.normIn += normIn
    state.normOut += normOut
    state.normRatio += normOut / (normIn < smallNorm ? 1 : normIn)
    // 0 / 0 where a norm is zero, as there.
    state.cosine += at(sequence.dot, token) / (normIn * normOut)
    state.mse += squaredError / size
    state.legacyExplainedVariance += 1 - squaredError / squaredDistance(sequence, token, mean)
    state.klSpliced += sequence.divergence(this.#spliced, token)
    state.klAblated += sequence.divergence('zeroedAll', token)
    if (token + 1 === sequence.length) return
    state.predictions += 1
    state.clean += sequence.loss('clean', token)
    state.spliced += sequence.loss(this.#spliced, token)
    state.ablated += sequence.loss('zeroedAll', token)
  }

  /** The metrics over targets of `width` features. */
  result(width: number): SaelensMetrics {
    const { state } = this
    const { tokens, predictions, batches } = state
    const meanSquare = state.meanSquare / batches
    const variance = meanSquare - (meanSquare / width) ** 2
    return {
      kl_div_score: ratio(state.klAblated - state.klSpliced, state.klAblated),
      kl_div_with_ablation: ratio(state.klAblated, tokens),
      kl_div_with_sae: ratio(state.klSpliced, tokens),
      ce_loss_score: ratio(state.ablated - state.spliced, state.ablated - state.clean),
      ce_loss_with_ablation: ratio(state.ablated, predictions),
      ce_loss_with_sae: ratio(state.spliced, predictions),
      ce_loss_without_sae: ratio(state.clean, predictions),
      explained_variance: batches === 0 ? null : toMaybeNumber(1 - state.meanSquaredError / batches / variance),
      explained_variance_legacy: ratio(state.legacyExplainedVariance, tokens),
      mse: ratio(state.mse, tokens),
      cossim: ratio(state.cosine, tokens),
      l2_norm_in: ratio(state.normIn, tokens),
      l2_norm_out: ratio(state.normOut, tokens),
      l2_ratio: ratio(state.normRatio, tokens),
      relative_reconstruction_bias: ratio(state.bias, batches),
      l0: ratio(state.l0, tokens),
      l1: ratio(state.l1, tokens)
    }
  }
}

type Batch = readonly { readonly sequence: SequenceNumbers; readonly tokens: readonly number[] }[]

async function meanTarget(batch: Batch, size: number): Promise<Float64Array> {
  const sum = new Float64Array(batch[0]?.sequence.width ?? 0)
  for (const { sequence, tokens } of batch) {
    for (const token of tokens) {
      const start = token * sequence.width
      for (let feature = 0; feature < sum.length; feature++) sum[feature] = at(sum, feature) + at(sequence.target, start + feature)
    }
    await nextTurn()
  }
  return sum.map(total => total / size)
}

function squaredDistance({ target, width }: SequenceNumbers, token: number, mean: Float64Array): number {
  let distance = 0
  for (let feature = 0; feature < width; feature++) distance += (at(target, token * width + feature) - at(mean, feature)) ** 2
  return distance
}
