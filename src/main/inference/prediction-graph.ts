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
  readonly sumExp: string
  /** Sum of the piece's logits; null unless the mean over the vocabulary is to be taken out of them. */
  readonly logitSum: string | null
  /** Sum of exp(l_baseline - max_baseline) * (l_baseline - l_row); null where there is no baseline. */
  readonly weightedDifference: string | null
  /** [row, position, rows], before center_unembed; null unless whole logits were asked for. */
  readonly logits: string | null
}

/** The best next tokens, how many logits are greater than the actual next token's, and how many are no numbers. */
export interface RankingOutputs {
  readonly topLogits: string
  readonly topIds: string
  readonly greater: string
  readonly notANumber: string
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
  const maximum = graph.maximum(logits, [-1], true)
  const shifted = graph.exponential(graph.subtract(logits, maximum))
  return {
    start,
    rows,
    ranking: want.topK === 0 ? null : rank(graph, logits, target, [start, end], want.topK),
    maximum: graph.outputTogether(graph.reshape(maximum, [0, 0])),
    sumExp: graph.outputTogether(graph.sum(shifted, [-1])),
    logitSum: unembedding.isCentred ? graph.outputTogether(graph.sum(logits, [-1])) : null,
    weightedDifference: want.baseline ? graph.outputTogether(differenceFromBaseline(graph, logits, shifted)) : null,
    logits: want.logits ? graph.output(logits) : null
  }
}

function rank(graph: GraphBuilder, logits: Value, target: Value, [start, end]: readonly [number, number], topK: number): RankingOutputs {
  const rows = end - start
  // On a device it would be sorted whole, in a hundred steps that are waited for one by one.
  const top = graph.onHost(() => graph.topK(logits, Math.min(topK, rows)))
  // The target's own logit, worked out apart, may differ from the piece's in the last bit: leave it out of the count by its id.
  const ids = graph.reshape(graph.range(start, end), [1, 1, rows])
  const targets = graph.unsqueeze(graph.input(predictionInputs.targets, 'int64', ['position']), [0, 2])
  const others = graph.not(graph.equal(ids, targets))
  const greater = graph.and(graph.greater(logits, graph.unsqueeze(target, [2])), others)
  return {
    topLogits: graph.output(top.values),
    topIds: graph.output(top.indices),
    greater: graph.outputTogether(graph.sum(graph.cast(greater, 'float32'), [-1])),
    notANumber: graph.output(graph.sum(graph.cast(graph.isNaN(logits), 'float32'), [-1]))
  }
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
  const dModel = unembedding.weight.shape[1] ?? 0
  const flat = multiplyTransposed(
    graph,
    graph.reshape(final, [-1, dModel]),
    rowsOf(unembedding.weight, start, end),
    undefined,
    graph.placement.products
  )
  const shape = graph.concatenate([graph.shapeOf(final, 0, -1), graph.integers([end - start])], 0)
  return capped(graph, graph.reshape(flat, shape), unembedding.softCap)
}

function differenceFromBaseline(graph: GraphBuilder, logits: Value, shifted: Value): Value {
  const baseline = graph.input(predictionInputs.baseline, 'int64', [1])
  const difference = graph.subtract(graph.gather(logits, baseline), logits)
  return graph.sum(graph.multiply(graph.gather(shifted, baseline), difference), [-1])
}
