/** Token and position embeddings: rows of a stored matrix, upcast once they are picked. */
import type { StoredTensor } from '../checkpoint/tensor.ts'
import type { Value } from '../onnx/graph.ts'
import { mapWeight } from '../onnx/weights.ts'
import type { HookedGraph } from './hooked-graph.ts'
import { positions } from './positions.ts'

function rowsOf({ graph }: HookedGraph, matrix: StoredTensor, places: Value): Value {
  return graph.unsqueeze(graph.cast(graph.gather(mapWeight(graph, matrix), places), 'float32'), [0])
}

/** The rows [1, position, dModel] of the prompt's token ids (graph input `ids`, int64 [position]). */
export function embedTokens(g: HookedGraph, matrix: StoredTensor): Value {
  return rowsOf(g, matrix, g.graph.input('ids', 'int64', ['position']))
}

/** The rows [1, position, dModel] of the positions from zero. */
export function embedPositions(g: HookedGraph, matrix: StoredTensor): Value {
  return rowsOf(g, matrix, g.graph.cast(positions(g), 'int64'))
}
