/** What every family gives: a checkpoint read as a transformer whose parts can be written into a graph one by one. */
import type { LayerOrder, ProcessingFlag } from '../../contract/run.ts'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import type { StoredTensor } from '../checkpoint/tensor.ts'
import type { Value } from '../onnx/graph.ts'
import type { HookedGraph } from './hooked-graph.ts'

/** How TransformerLens would have loaded the model. */
export interface Reading {
  readonly processing: ReadonlySet<ProcessingFlag>
  readonly layerOrder: LayerOrder
  /** HookedSAETransformer adds `mlp.hook_in` to every block; a plain HookedTransformer 2.x has no such hook point. */
  readonly hookMlpIn: boolean
}

/** Sizes by HookedTransformerConfig's names. `context` is the longest prompt in tokens. */
export interface TransformerShape {
  readonly layers: number
  readonly dModel: number
  readonly heads: number
  readonly keyValueHeads: number
  readonly dHead: number
  readonly dMlp: number
  readonly vocabulary: number
  readonly context: number
}

/** A graph input's values for some positions. */
export interface PositionInput {
  readonly data: Float32Array
  readonly shape: readonly number[]
}

/**
 * The unembedding: logits = softCap(x @ weight.T), weight [vocabulary, dModel]. `isCentred`: center_unembed takes the mean
 * over the vocabulary out of the logits; never together with a soft cap, which such a shift would change.
 */
export interface Unembedding {
  readonly weight: StoredTensor
  readonly softCap: number | null
  readonly isCentred: boolean
}

export interface Transformer {
  readonly shape: TransformerShape
  readonly unembedding: Unembedding
  /** Token ids that config.json names as BOS, EOS or padding. */
  readonly specialIds: readonly number[]
  /** Token ids that end a text, by config.json. */
  readonly eosIds: readonly number[]
  /** What stands before a text. Null where TransformerLens prepends nothing by default (Qwen), whatever config.json names. */
  readonly bosId: number | null
  /** The graph inputs that depend on where tokens stand alone, by name, for the positions `[start, end)`. */
  positionInputs(start: number, end: number): ReadonlyMap<string, PositionInput>
  /** Token ids (graph input `ids`, int64 [row, position]) -> residual stream [row, position, dModel]. */
  embed(g: HookedGraph): Value
  /** Residual stream [row, position, dModel] -> the same after one block. */
  block(g: HookedGraph, layer: number, residual: Value): Value
  /** Residual stream -> what the unembedding multiplies, [row, position, dModel]. */
  finalNorm(g: HookedGraph, residual: Value): Value
}

export interface Family {
  /** config.json's `model_type` values that this family reads. */
  readonly modelTypes: readonly string[]
  /** Reads config and tensor names. Throws `checkpoint/config` naming the field, `checkpoint/tensor-missing`, `checkpoint/shape`. */
  read(checkpoint: Checkpoint, reading: Reading): Transformer
}
