/** RMSNorm (Zhang and Sennrich 2019) with TransformerLens's two hook points: scale = sqrt(mean(x^2) + eps), normalized = x / scale, before the gain. */
import type { StoredTensor } from '../checkpoint/tensor.ts'
import type { Value } from '../onnx/graph.ts'
import { mapAsFloat32 } from '../onnx/weights.ts'
import type { HookedGraph, HookShape } from './hooked-graph.ts'
import type { NormOutput } from './norm.ts'

/** `storedGain`: Llama stores the gain, Gemma the gain minus one. */
export interface RmsNorm {
  readonly weight: StoredTensor
  readonly epsilon: number
  readonly storedGain: 'whole' | 'minus-one'
}

function normalized(g: HookedGraph, name: string, x: Value, epsilon: number, axis: HookShape[number], width: number): Value {
  const { graph } = g
  const meanSquare = graph.mean(graph.multiply(x, x), [-1], true)
  const scale = g.hook(`${name}.hook_scale`, graph.squareRoot(graph.add(meanSquare, graph.scalar(epsilon))), [axis, 1])
  return g.hook(`${name}.hook_normalized`, graph.divide(x, scale), [axis, width])
}

function applyGain({ graph }: HookedGraph, x: Value, { weight, storedGain }: RmsNorm): Value {
  const stored = mapAsFloat32(graph, weight)
  return graph.multiply(x, storedGain === 'whole' ? stored : graph.add(stored, graph.scalar(1)))
}

/** x [row, position, dModel] -> the norm's output. `isFolded`: fold_ln moves the gain behind the hook points that read it. */
export function rmsNorm(g: HookedGraph, name: string, x: Value, norm: RmsNorm, isFolded: boolean): NormOutput {
  const before = normalized(g, name, x, norm.epsilon, 'position', norm.weight.shape[0] ?? 0)
  if (isFolded) return { output: before, scale: value => applyGain(g, value, norm), bias: null }
  return { output: applyGain(g, before, norm), scale: value => value, bias: null }
}

/** x [row, position, heads, dHead], each head by itself; the gain is never folded. */
export function headRmsNorm(g: HookedGraph, name: string, x: Value, heads: number, norm: RmsNorm): Value {
  const dHead = norm.weight.shape[0] ?? 0
  const flat = g.graph.reshape(x, [0, -1, dHead])
  const output = applyGain(g, normalized(g, name, flat, norm.epsilon, { heads }, dHead), norm)
  return g.graph.reshape(output, [0, -1, heads, dHead])
}
