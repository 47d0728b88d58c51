/** The MLP of GPT-2 and GPT-NeoX: out(act(in(x))). */
import type { Value } from '../onnx/graph.ts'
import { type ActivationName, activate } from './activation-function.ts'
import type { Reading } from './family.ts'
import type { HookedGraph } from './hooked-graph.ts'
import { type Linear, project } from './linear.ts'
import { type NormOutput, readNorm } from './norm.ts'

export interface Mlp {
  readonly dModel: number
  readonly dMlp: number
  readonly input: Linear
  readonly output: Linear
  readonly activation: ActivationName
}

/**
 * What an MLP reads: a norm's output, by way of `mlp.hook_in` where the reading has that; behind it, with the gain that the
 * reading may have folded away, is the unprocessed model's. `name` is the MLP's, `blocks.0.mlp`.
 */
export function mlpInput(g: HookedGraph, name: string, norm: NormOutput, dModel: number, reading: Reading): Value {
  if (!reading.hookMlpIn) return readNorm(g, norm)
  const stream = ['position', dModel] as const
  const hooked = g.hook(`${name}.hook_in`, norm.output, stream)
  return g.unfolded(`${name}.hook_in`, readNorm(g, norm, hooked), stream)
}

/** -> [row, position, dModel], before `hook_mlp_out`. */
export function mlp(g: HookedGraph, name: string, norm: NormOutput, layer: Mlp, reading: Reading): Value {
  const { dModel, dMlp } = layer
  const wide = ['position', dMlp] as const
  const pre = g.hook(`${name}.hook_pre`, project(g, mlpInput(g, name, norm, dModel, reading), layer.input, [dMlp]), wide)
  const post = g.hook(`${name}.hook_post`, activate(g.graph, layer.activation, pre), wide)
  return project(g, post, layer.output, [dModel])
}
