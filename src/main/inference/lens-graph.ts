/**
 * The logit lens as graph pieces: the residual stream through the final norm, then through some rows of the unembedding, with top-k,
 * log-sum-exp, the standing of two tokens and the divergence from the final prediction worked out inside. `lens-cells.ts` merges the
 * pieces. Logits here are before center_unembed, as in `prediction-graph.ts`.
 */
import type { GraphBuilder, Value } from '../onnx/graph.ts'
import { pickFromWeight } from '../onnx/weights.ts'
import type { Transformer, Unembedding } from '../transformer/family.ts'
import type { HookedGraph } from '../transformer/hooked-graph.ts'
import { capped, pieceLogits } from './prediction-graph.ts'

/** A hook point where the lens looks, and the label that TransformerLens's `accumulated_resid` gives it. */
export function lensLabel(hook: string): string | null {
  const layer = /^blocks\.(\d+)\.hook_resid_pre$/.exec(hook)?.[1]
  return layer === undefined ? null : `${layer}_pre`
}

/** What comes out of the last block. */
export const finalLabel = 'final_post'

/** The name under which a stage hands over what the lens reads at a label. */
export function lensCapture(label: string): string {
  return `logit_lens.${label}`
}

/**
 * Graph inputs. `shared`: layers where all variants are one row, [layer, 1, position, dModel]; `parted`: the others, the last one
 * final_post, [layer, row, position, dModel]; `actual`: the tokens that follow [position]; `final`: the likeliest ones in the end, [row, position].
 */
export const lensInputs = { shared: 'lens.shared', parted: 'lens.parted', actual: 'lens.actual', final: 'lens.final' } as const

/** The final norm, with statistics of its own, of a residual stream [row, position, dModel]; no SAE or edit acts in it. */
export function normForLens(graph: GraphBuilder, transformer: Transformer, residual: Value): Value {
  const g: HookedGraph = {
    graph,
    holdsSequences: false,
    hook: (_name, value) => value,
    unfolded: (_name, value) => value,
    once: (_name, make) => make()
  }
  return transformer.finalNorm(g, residual)
}

/** Names of a piece's best token at each position of the final prediction, each [row, position, 1]. */
export interface BestPiece {
  readonly start: number
  readonly logits: string
  readonly ids: string
}

/** The best of token ids `[start, end)`; parted [layer, row, position, dModel]. */
export function bestPiece(
  graph: GraphBuilder,
  unembedding: Unembedding,
  dModel: number,
  [start, end]: readonly [number, number]
): BestPiece {
  const parted = graph.input(lensInputs.parted, 'float32', ['parted', 'row', 'position', dModel])
  const best = graph.topK(pieceLogits(graph, unembedding, graph.take(parted, -1, 0), [start, end]), 1)
  return { start, logits: graph.output(best.values), ids: graph.output(best.indices) }
}

/**
 * Names of what a piece says of a group of layers: [layer, row, position] with the group's rows; of the final token and the divergence
 * with the variants' rows, also where the layers are shared.
 */
export interface LensOutputs {
  /** [layer, row, position, k]. */
  readonly topLogits: string
  readonly topIds: string
  readonly maximum: string
  /** Not finite where some logit is NaN or the maximum infinite. */
  readonly sumExp: string
  /** Null unless the mean over the vocabulary is to be taken out of the logits. */
  readonly logitSum: string | null
  /** A token's own logit, and how many others of the piece are greater. */
  readonly actualLogit: string
  readonly actualGreater: string
  readonly finalLogit: string
  readonly finalGreater: string
  /** Sum of exp(l_final - max_final) * (l_final - l_layer). */
  readonly weightedDifference: string
  /** [layer, row, position, rows]; null unless whole logits were asked for. */
  readonly logits: string | null
}

export interface LensPiece {
  readonly start: number
  readonly rows: number
  /** Null where no layer is shared. */
  readonly shared: LensOutputs | null
  readonly parted: LensOutputs
}

export interface LensWishes {
  readonly topK: number
  readonly logits: boolean
  /** Whether the first layers are the same for all variants, and have one row. */
  readonly hasShared: boolean
}

/** What is said of token ids `[start, end)` at every layer. */
export function lensPiece(
  graph: GraphBuilder,
  unembedding: Unembedding,
  dModel: number,
  [start, end]: readonly [number, number],
  want: LensWishes
): LensPiece {
  const rows = end - start
  const parted = graph.input(lensInputs.parted, 'float32', ['parted', 'row', 'position', dModel])
  const actual = graph.input(lensInputs.actual, 'int64', ['position'])
  const final = graph.input(lensInputs.final, 'int64', ['row', 'position'])
  const ids = graph.reshape(graph.range(start, end), [1, 1, 1, rows])
  const unembedded = (token: Value) => pickFromWeight(graph, unembedding.weight, token)
  const tokens = {
    actual: { rows: graph.unsqueeze(unembedded(actual), [0, 1]), ids: graph.unsqueeze(actual, [0, 1, 3]) },
    final: { rows: graph.unsqueeze(unembedded(final), [0]), ids: graph.unsqueeze(final, [0, 3]) }
  }
  const partedLogits = pieceLogits(graph, unembedding, parted, [start, end])
  const finalLogits = graph.unsqueeze(graph.take(partedLogits, -1, 0), [0])
  const finalWeights = graph.exponential(graph.subtract(finalLogits, graph.maximum(finalLogits, [-1], true)))

  function group(states: Value, logits: Value): LensOutputs {
    const maximum = graph.maximum(logits, [-1], true)
    const top = graph.topK(logits, Math.min(want.topK, rows))
    // A token's own logit, worked out apart, may differ from the piece's in the last bit: leave it out of the count by its id.
    const standing = (token: { readonly rows: Value; readonly ids: Value }) => {
      const own = capped(graph, graph.sum(graph.multiply(states, token.rows), [-1]), unembedding.softCap)
      const greater = graph.and(graph.greater(logits, graph.unsqueeze(own, [3])), graph.not(graph.equal(ids, token.ids)))
      return { logit: graph.output(own), greater: graph.output(graph.sum(graph.cast(greater, 'float32'), [-1])) }
    }
    const [ofActual, ofFinal] = [standing(tokens.actual), standing(tokens.final)]
    return {
      topLogits: graph.output(top.values),
      topIds: graph.output(top.indices),
      maximum: graph.output(graph.reshape(maximum, [0, 0, 0])),
      sumExp: graph.output(graph.sum(graph.exponential(graph.subtract(logits, maximum)), [-1])),
      logitSum: unembedding.isCentred ? graph.output(graph.sum(logits, [-1])) : null,
      actualLogit: ofActual.logit,
      actualGreater: ofActual.greater,
      finalLogit: ofFinal.logit,
      finalGreater: ofFinal.greater,
      weightedDifference: graph.output(graph.sum(graph.multiply(finalWeights, graph.subtract(finalLogits, logits)), [-1])),
      logits: want.logits ? graph.output(logits) : null
    }
  }

  let shared: LensOutputs | null = null
  if (want.hasShared) {
    const states = graph.input(lensInputs.shared, 'float32', ['shared', 1, 'position', dModel])
    shared = group(states, pieceLogits(graph, unembedding, states, [start, end]))
  }
  return { start, rows, shared, parted: group(parted, partedLogits) }
}
