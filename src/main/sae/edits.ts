/**
 * Edits of features as pieces of a graph: a decoder is linear, so a change of a few activations adds the changes times their rows of
 * W_dec to what the SAE gives, whatever the other features do.
 */
import type { GraphBuilder, Value } from '../onnx/graph.ts'
import { pickFromWeight } from '../onnx/weights.ts'
import type { MappedSae } from './sae.ts'

/** Rows of W_dec as they are stored, in float32: [..., dOut] for features [...] (int64, two axes). */
export function decoderRows(graph: GraphBuilder, { weights: { decoder } }: MappedSae, features: Value): Value {
  if (decoder.columnMajor !== true) return pickFromWeight(graph, decoder, features)
  const [dSae = 0, dOut = 0] = decoder.shape
  const columns = pickFromWeight(graph, { ...decoder, shape: [dOut, dSae], columnMajor: false }, features, 1)
  return graph.transpose(columns, [1, 2, 0])
}

/** Which features change in each row, and by how much: `features` [variant, edit], `changes` [variant, position, edit]. */
export interface FeatureChanges {
  readonly features: Value
  readonly changes: Value
}

/**
 * What edits change. `feature` (int64), `factor` and `offset` [variant, position, edit]: an activation a becomes factor a + offset;
 * factor 1 and offset 0 leave it. `acts` is [row, position, dSae]; where it is `shared`, one row for all variants, no row of it is copied.
 * `edited` are all activations after the edits, for those who want to see them.
 */
export function changeActivations(
  graph: GraphBuilder,
  acts: Value,
  { feature, factor, offset }: { readonly feature: Value; readonly factor: Value; readonly offset: Value },
  { shared }: { readonly shared: boolean }
): FeatureChanges & { readonly edited: () => Value } {
  const rows = () => graph.expand(acts, graph.concatenate([graph.shapeOf(feature, 0, 2), graph.shapeOf(acts, 2, 3)], 0))
  const before = shared ? sharedActivations(graph, acts, feature) : graph.gatherElements(rows(), feature, -1)
  const changes = graph.add(graph.multiply(graph.subtract(factor, graph.scalar(1)), before), offset)
  return { features: graph.take(feature, 0, 1), changes, edited: () => graph.scatterAdd(rows(), feature, changes, -1) }
}

/** Activations [variant, position, edit] of `feature` from the one row [1, position, dSae] that variants share. */
function sharedActivations(graph: GraphBuilder, acts: Value, feature: Value): Value {
  const byPosition = graph.transpose(feature, [1, 0, 2])
  const found = graph.gatherElements(acts, graph.unsqueeze(graph.reshape(byPosition, [0, -1]), [0]), -1)
  return graph.transpose(graph.reshape(found, graph.shapeOf(byPosition, 0, 3)), [1, 0, 2])
}
