/**
 * From the final norm to what is said of the next token: top-k, log-sum-exp, the actual token's logit and rank, and the
 * divergence from the baseline row. The vocabulary is cut into pieces, since whole logits of a long prompt do not fit in
 * memory; `predictions.ts` merges what the pieces give. Logits here are before center_unembed, whose mean over the whole
 * vocabulary no piece knows; it changes no log-prob, rank or divergence.
 */
import type { GraphBuilder, Value } from '../onnx/graph.ts'
import { multiplyTransposed, pickFromWeight, rowsOf } from '../onnx/weights.ts'
import type { Unembedding } from '../transformer/family.ts'

/** Graph inputs of the pieces. `targets`: the token that actually follows each position (any id at the last one). */
export const predictionInputs = { targets: 'targets', baseline: 'baseline' } as const

/** Names of a piece's graph outputs, each [row, position] unless said otherwise. `start` is the piece's first token id. */
export interface PieceOutputs {
  readonly start: number
  readonly rows: number
  /** What is said of single tokens; null where losses and divergence are all that is wanted. */
  readonly ranking: RankingOutputs | null
  readonly maximum: string
  /** Sum of exp(l - maximum); not finite where some logit is NaN or the maximum infinite. */
  readonly sumExp: string
  /** Sum of the piece's logits; null unless the mean over the vocabulary is to be taken out of them. */
  readonly logitSum: string | null
  /** Sum of exp(l_baseline - max_baseline) * (l_baseline - l_row); null where there is no baseline. */
  readonly weightedDifference: string | null
  /** [row, position, rows], before center_unembed; null unless whole logits were asked for. */
  readonly logits: string | null
}

/** The best next tokens, and how many logits are greater than the actual next token's. */
export interface RankingOutputs {
  readonly topLogits: string
  readonly topIds: string
  readonly greater: string
}

/** Logits through the final soft cap, where there is one. */
export function capped(graph: GraphBuilder, logits: Value, softCap: number | null): Value {
  if (softCap === null) return logits
  const cap = graph.scalar(softCap)
  return graph.multiply(graph.tanh(graph.divide(logits, cap)), cap)
}

/** The actual next token's logit, [row, position], from final [row, position, dModel]. */
export function targetLogits(graph: GraphBuilder, unembedding: Unembedding, final: Value): Value {
  const targets = graph.input(predictionInputs.targets, 'int64', ['position'])
  const rows = pickFromWeight(graph, unembedding.weight, targets)
  return capped(graph, graph.sum(graph.multiply(final, rows), [-1]), unembedding.softCap)
}

/** Predictions over token ids `[start, end)`; no ranking where `topK` is 0. final [row, position, dModel], target [row, position]. */
export function predictPiece(
  graph: GraphBuilder,
  unembedding: Unembedding,
  final: Value,
  target: Value,
  [start, end]: readonly [number, number],
  want: { readonly topK: number; readonly baseline: boolean; readonly logits: boolean }
): PieceOutputs {
  const rows = end - start
  const logits = pieceLogits(graph, unembedding, final, [start, end])
  // A device would sort all of them, in a hundred steps: they are ranked by the CPU, which then has the greatest as well.
  const ranked =
    want.topK === 0
      ? null
      : graph.onHost(() => {
          const { values, indices } = graph.topK(logits, Math.min(want.topK, rows))
          const greater = graph.output(greaterThanTarget(graph, logits, target, [start, end]))
          const ranking = { topLogits: graph.output(values), topIds: graph.output(indices), greater }
          return { ranking, maximum: graph.output(graph.take(values, 0, -1)) }
        })
  // The greatest logit's share is exp(0) / sumExp: one operator in place of a difference, an exponential and a sum.
  const shares = graph.softmax(logits)
  const sumExp = graph.divide(graph.scalar(1), graph.maximum(shares, [-1]))
  return {
    start,
    rows,
    ranking: ranked?.ranking ?? null,
    maximum: ranked?.maximum ?? graph.outputTogether(graph.maximum(logits, [-1])),
    sumExp: graph.outputTogether(sumExp),
    logitSum: unembedding.isCentred ? graph.outputTogether(graph.sum(logits, [-1])) : null,
    weightedDifference: want.baseline ? graph.outputTogether(differenceFromBaseline(graph, logits, shares, sumExp)) : null,
    logits: want.logits ? graph.output(logits) : null
  }
}

/**
 * How many of a piece's logits are greater than the actual next token's, [row, position]. That logit, worked out apart, may differ from the
 * piece's in the last bit: in its own piece it is the piece's that counts.
 */
function greaterThanTarget(graph: GraphBuilder, logits: Value, target: Value, [start, end]: readonly [number, number]): Value {
  const targets = graph.unsqueeze(graph.input(predictionInputs.targets, 'int64', ['position']), [0, 2])
  const isHere = graph.and(graph.less(graph.integers([start - 1]), targets), graph.less(targets, graph.integers([end])))
  const place = graph.where(isHere, graph.subtract(targets, graph.integers([start])), graph.integers([0]))
  const shape = graph.concatenate([graph.shapeOf(logits, 0, 2), graph.integers([1])], 0)
  const own = graph.gatherElements(logits, graph.expand(place, shape), 2)
  const compared = graph.where(isHere, own, graph.unsqueeze(target, [2]))
  return graph.sum(graph.cast(graph.greater(logits, compared), 'float32'), [-1])
}

/** A piece's logits, [row, position, rows], by the name of their graph output. */
export interface LogitPiece {
  readonly start: number
  readonly rows: number
  readonly output: string
}

/** Logits of token ids `[start, end)`, before center_unembed. final [row, position, dModel]. */
export function logitPiece(graph: GraphBuilder, unembedding: Unembedding, final: Value, range: readonly [number, number]): LogitPiece {
  const [start, end] = range
  return { start, rows: end - start, output: graph.outputTogether(pieceLogits(graph, unembedding, final, range), end - start) }
}

/** Logits of token ids `[start, end)`, before center_unembed, in the shape of final [..., dModel] but for its last axis. */
export function pieceLogits(graph: GraphBuilder, unembedding: Unembedding, final: Value, [start, end]: readonly [number, number]): Value {
  const { weight, softCap } = unembedding
  const dModel = weight.shape[1] ?? 0
  // What a soft cap divides is divided where it is small.
  const read = softCap === null ? final : graph.divide(final, graph.scalar(softCap))
  const flat = multiplyTransposed(graph, graph.reshape(read, [-1, dModel]), rowsOf(weight, start, end), undefined, graph.placement.products)
  const shape = graph.concatenate([graph.shapeOf(final, 0, -1), graph.integers([end - start])], 0)
  const logits = graph.reshape(flat, shape)
  return softCap === null ? logits : graph.multiply(graph.tanh(logits), graph.scalar(softCap))
}

/** Sum of exp(l_baseline - max_baseline) * (l_baseline - l_row), [row, position], from each logit's share of its row's sum. */
function differenceFromBaseline(graph: GraphBuilder, logits: Value, shares: Value, sumExp: Value): Value {
  const ofBaseline = (value: Value) => graph.gather(value, graph.input(predictionInputs.baseline, 'int64', [1]))
  const difference = graph.subtract(ofBaseline(logits), logits)
  return graph.multiply(graph.sum(graph.multiply(ofBaseline(shares), difference), [-1]), ofBaseline(sumExp))
}
