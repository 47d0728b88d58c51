/**
 * What a family writes its forward pass against: an ONNX graph with hook points. `hook` stands inline where
 * TransformerLens has the hook point; what it returns is what flows on, so capturing and splicing happen there.
 */
import type { GraphBuilder, Value } from '../onnx/graph.ts'

/** Batch, positions and heads in one axis, as TransformerLens flattens them where it normalizes queries and keys. */
export interface FlattenedHeads {
  readonly heads: number
}

/**
 * A hook point's shape after the batch dimension: sizes, or the axes that follow the prompt. No batch dimension stands before
 * flattened heads: it is in them.
 */
export type HookShape = readonly (number | 'position' | 'query' | 'key' | FlattenedHeads)[]

/** What a graph that continues a sequence adds in front of its own positions. */
export interface EarlierPositions {
  /** Positions of all keys that a query may see, earlier ones first: float32 [key]. */
  readonly keyPositions: Value
  /** Keys and values [row, position, keyValueHeads, dHead] with those of earlier positions in front, [row, key, keyValueHeads, dHead]. */
  extend(attention: string, keys: Value, values: Value, size: readonly [number, number]): { keys: Value; values: Value }
}

export interface HookedGraph {
  readonly graph: GraphBuilder
  /** Where the graph continues sequences whose earlier positions have been computed. */
  readonly earlier?: EarlierPositions
  /**
   * Whether `position` holds several sequences of one length behind each other, which do not see each other. Whatever depends on the
   * prompt's length is fed for all of them; `sequencePositions` counts the places within one.
   */
  readonly holdsSequences: boolean
  /** Names the value as TransformerLens does; gives what flows on from here. */
  hook(name: string, value: Value, shape: HookShape): Value
  /**
   * Where a hook point of this reading lacks what is folded into weights: the same activation with it, as the unprocessed model
   * has it. SAEs that were trained on that read it here.
   */
  unfolded(name: string, value: Value, shape: HookShape): Value
  /** A value that several blocks of one graph share, made when it is first asked for. */
  once(name: string, make: () => Value): Value
}
