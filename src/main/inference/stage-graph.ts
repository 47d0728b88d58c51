/**
 * One stage's graph, with what a run wants of it: hook points to capture and SAEs to read and splice. A family writes its
 * forward pass into this; every hook point passes through `hook`.
 */
import { GraphBuilder, type Value } from '../onnx/graph.ts'
import type { Sae } from '../sae/sae.ts'
import { encodeAndDecode, measureSae, type SaeMeasures, spliceRows } from '../sae/splice.ts'
import type { HookedGraph, HookShape } from '../transformer/hooked-graph.ts'
import { hookWidth } from '../transformer/model.ts'

/** An SAE of a run at its hook point. `spliced`: some variant puts its output in place of the activation. */
export interface PlannedSae {
  readonly name: string
  readonly hook: string
  readonly sae: Sae
  readonly spliced: boolean
}

/** Which activations to keep, by hook name; an SAE's own are `<hook>.hook_sae_...`. */
export type CaptureFilter = (name: string) => boolean

/** A kept activation: the graph output it comes from and its shape after the batch dimension. */
export interface Capture {
  readonly name: string
  /** The SAE whose splice makes it exist; variants that do not splice it do not have it. Null for plain hook points. */
  readonly sae: string | null
  readonly output: string
  readonly shape: HookShape
}

export interface StageOptions {
  readonly saes: readonly PlannedSae[]
  readonly capture: CaptureFilter
  readonly topFeatures: number
}

/** Graph inputs of a splice: where each variant takes the reconstruction, and whether with the error term. */
export function spliceInputs(sae: string): { mask: string; gate: string } {
  return { mask: `${sae}.mask`, gate: `${sae}.gate` }
}

export class StageGraph implements HookedGraph {
  readonly graph = new GraphBuilder()
  readonly captures: Capture[] = []
  readonly measures = new Map<string, SaeMeasures>()
  readonly #options: StageOptions
  readonly #shared = new Map<string, Value>()

  constructor(options: StageOptions) {
    this.#options = options
  }

  once(name: string, make: () => Value): Value {
    const value = this.#shared.get(name) ?? make()
    this.#shared.set(name, value)
    return value
  }

  hook(name: string, value: Value, shape: HookShape): Value {
    this.#keep(name, null, value, shape)
    const saes = this.#options.saes.filter(planned => planned.hook === name)
    if (saes.length === 0) return value
    const width = hookWidth(shape) ?? 0
    const inHeads = shape.length > 2
    const x = inHeads ? this.graph.reshape(value, [0, 0, width]) : value
    const toHeads = (flat: Value) => {
      if (!inHeads) return flat
      const heads = shape.filter(size => typeof size === 'number')
      return this.graph.reshape(flat, [0, 0, ...heads])
    }
    const out = saes.reduce((flowing, planned) => this.#splice(planned, x, flowing, toHeads, shape), x)
    return out === x ? value : toHeads(out)
  }

  #keep(name: string, sae: string | null, value: Value, shape: HookShape): void {
    if (this.#options.capture(name)) this.captures.push({ name, sae, output: this.graph.output(value), shape })
  }

  #splice({ name, hook, sae, spliced }: PlannedSae, x: Value, flowing: Value, toHeads: (flat: Value) => Value, shape: HookShape): Value {
    const { graph } = this
    const values = encodeAndDecode(graph, sae, x)
    const measured = graph.input('measured', 'float32', [1, 'position', 1])
    this.measures.set(name, measureSae(graph, values, measured, Math.min(this.#options.topFeatures, sae.dSae)))
    if (!spliced) return flowing
    const inputs = spliceInputs(name)
    const mask = graph.input(inputs.mask, 'bool', ['variant', 'position', 1])
    const gate = graph.input(inputs.gate, 'float32', ['variant', 1, 1])
    const { output, error } = spliceRows(graph, x, flowing, values.recons, mask, gate)
    const keep = (part: string, value: Value, itsShape: HookShape) => this.#keep(`${hook}.hook_sae_${part}`, name, value, itsShape)
    keep('input', values.input, ['position', sae.dIn])
    keep('acts_pre', values.actsPre, ['position', sae.dSae])
    keep('acts_post', values.actsPost, ['position', sae.dSae])
    keep('recons', values.recons, ['position', sae.dIn])
    keep('error', toHeads(error), shape)
    keep('output', toHeads(output), shape)
    return output
  }
}
