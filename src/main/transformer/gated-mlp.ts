/** The gated MLP (Shazeer 2020) of Llama and Gemma: down(act(gate(x)) * up(x)). */
import type { Value } from '../onnx/graph.ts'
import { type ActivationName, activate } from './activation-function.ts'
import type { Reading } from './family.ts'
import type { HookedGraph } from './hooked-graph.ts'
import { elementwise, type Linear, project } from './linear.ts'
import { mlpInput } from './mlp.ts'
import type { NormOutput } from './norm.ts'

export interface GatedMlp {
  readonly dModel: number
  readonly dMlp: number
  readonly gate: Linear
  readonly up: Linear
  readonly down: Linear
  readonly activation: ActivationName
}

/** -> [row, position, dModel], before any norm behind it and `hook_mlp_out`. */
export function gatedMlp(g: HookedGraph, name: string, norm: NormOutput, layer: GatedMlp, reading: Reading): Value {
  const { dModel, dMlp } = layer
  const wide = ['position', dMlp] as const
  const x = mlpInput(g, name, norm, dModel, reading)
  const gate = g.hook(`${name}.hook_pre`, project(g, x, layer.gate, [dMlp]), wide)
  const up = g.hook(`${name}.hook_pre_linear`, project(g, x, layer.up, [dMlp]), wide)
  const gated = elementwise(gate, up, (one, other) => g.graph.multiply(activate(g.graph, layer.activation, one), other))
  const post = g.hook(`${name}.hook_post`, gated, wide)
  return project(g, post, layer.down, [dModel])
}
