/** The graph input `positions`: 0, 1, 2, ... as float32, as many as the prompt has tokens. */
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

/** What feeds `positions` for a prompt of some length. */
export function positionsInput(length: number): [string, PositionInput] {
  return ['positions', { data: Float32Array.from({ length }, (_, position) => position), shape: [length] }]
}
