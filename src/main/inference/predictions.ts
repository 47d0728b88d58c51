/** Merges what the pieces of the vocabulary said into log-probs, ranks, top-k and divergence, in double precision. */
/**
 * What a piece says of the whole distribution for one variant, each [position]; `sumExp` is not finite where some logit is NaN or the maximum
 * infinite: NaN on the CPU, and infinite on a GPU, whose maximum passes over NaN.
 */
export interface PieceMass {
  readonly maximum: Float32Array
  readonly sumExp: Float32Array
  readonly weightedDifference: Float32Array | null
}

/** A piece's numbers for one variant, each [position] or [position, k]. */
export interface PieceNumbers extends PieceMass {
  readonly start: number
  readonly rows: number
  readonly k: number
  readonly topLogits: Float32Array
  readonly topIds: Float32Array
  readonly logitSum: Float32Array | null
  readonly greater: Float32Array
}

/** What one variant predicts after one position. */
export interface Prediction {
  readonly logSumExp: number
  /** The actual next token's log-prob (nats) and rank; rank is null where logits are not numbers. */
  readonly targetLogProb: number
  readonly targetRank: number | null
  readonly top: readonly { readonly id: number; readonly logit: number; readonly logProb: number }[]
}

function at(values: Float32Array, index: number): number {
  return values[index] ?? Number.NaN
}

/** log sum exp of a position's logits; NaN where one of them is. */
export function logSumExpAt(pieces: readonly PieceMass[], position: number): number {
  if (!areNumbersAt(pieces, position)) return Number.NaN
  const maximum = Math.max(...pieces.map(piece => at(piece.maximum, position)))
  const sum = pieces.reduce((total, piece) => total + at(piece.sumExp, position) * Math.exp(at(piece.maximum, position) - maximum), 0)
  return maximum + Math.log(sum)
}

/** Whether a position's logits are numbers. */
export function areNumbersAt(pieces: readonly PieceMass[], position: number): boolean {
  return pieces.every(piece => Number.isFinite(at(piece.sumExp, position)))
}

/** What center_unembed takes out of a position's logits: their mean over the vocabulary, 0 where it does nothing. */
export function logitMeanAt(pieces: readonly PieceNumbers[], position: number): number {
  const sum = pieces.reduce((total, { logitSum }) => total + (logitSum === null ? 0 : at(logitSum, position)), 0)
  return sum / pieces.reduce((total, { rows }) => total + rows, 0)
}

/** One position's prediction; `targetLogit` is the actual next token's logit before center_unembed. */
export function predictionAt(pieces: readonly PieceNumbers[], position: number, targetLogit: number, topK: number): Prediction {
  if (!areNumbersAt(pieces, position)) return { logSumExp: Number.NaN, targetLogProb: Number.NaN, targetRank: null, top: [] }
  const logSumExp = logSumExpAt(pieces, position)
  const candidates = pieces.flatMap(piece =>
    Array.from({ length: piece.k }, (_, place) => ({
      id: piece.start + at(piece.topIds, position * piece.k + place),
      logit: at(piece.topLogits, position * piece.k + place)
    }))
  )
  candidates.sort((a, b) => b.logit - a.logit || a.id - b.id)
  const mean = logitMeanAt(pieces, position)
  return {
    logSumExp,
    targetLogProb: targetLogit - logSumExp,
    targetRank: pieces.reduce((rank, piece) => rank + at(piece.greater, position), 0),
    top: candidates.slice(0, topK).map(({ id, logit }) => ({ id, logit: logit - mean, logProb: logit - logSumExp }))
  }
}

/**
 * KL(baseline || variant) in nats at one position: E_baseline[l_baseline - l_variant] - (lse_baseline - lse_variant).
 * Never below zero, where rounding would put it.
 */
export function divergenceAt(baseline: readonly PieceMass[], variant: readonly PieceMass[], position: number): number {
  const maximum = Math.max(...baseline.map(piece => at(piece.maximum, position)))
  let weight = 0
  let difference = 0
  for (const [index, piece] of baseline.entries()) {
    const scale = Math.exp(at(piece.maximum, position) - maximum)
    weight += scale * at(piece.sumExp, position)
    const other = variant[index]?.weightedDifference
    if (other !== null && other !== undefined) difference += scale * at(other, position)
  }
  const divergence = difference / weight - (logSumExpAt(baseline, position) - logSumExpAt(variant, position))
  return Number.isNaN(divergence) ? divergence : Math.max(0, divergence)
}
