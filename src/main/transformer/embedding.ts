/** Token and position embeddings: rows of a stored matrix, upcast once they are picked. */
import type { StoredTensor } from '../checkpoint/tensor.ts'
import type { Value } from '../onnx/graph.ts'
import { pickFromWeight } from '../onnx/weights.ts'
import type { HookedGraph } from './hooked-graph.ts'
import { positions } from './positions.ts'

/** The rows [row, position, dModel] of token ids (graph input `ids`, int64 [row, position]). */
export function embedTokens(g: HookedGraph, matrix: StoredTensor): Value {
  return pickFromWeight(g.graph, matrix, g.graph.input('ids', 'int64', ['row', 'position']))
}

/** The rows [1, position, dModel] of the positions. */
export function embedPositions(g: HookedGraph, matrix: StoredTensor): Value {
  return g.graph.unsqueeze(pickFromWeight(g.graph, matrix, g.graph.cast(positions(g), 'int64')), [0])
}
