/** The graph input `positions`: those of the tokens that go through, as float32; 0, 1, 2, ... for a whole prompt. */
import type { Value } from '../onnx/graph.ts'
import type { PositionInput } from './family.ts'
import type { HookedGraph } from './hooked-graph.ts'

export function positions({ graph }: HookedGraph): Value {
  return graph.input('positions', 'float32', ['position'])
}

/** The graph input `sequencePositions`: 0, 1, 2, ... as many as each of several sequences has tokens. */
export function sequencePositions({ graph }: HookedGraph): Value {
  return graph.input('sequencePositions', 'float32', ['sequencePosition'])
}

/** What feeds it for the positions `[start, end)`. */
export function positionsInput(start: number, end: number): [string, PositionInput] {
  return ['positions', { data: Float32Array.from({ length: end - start }, (_, place) => start + place), shape: [end - start] }]
}
