/**
 * A norm in front of a sublayer, as a reading sees it. fold_ln moves a norm's gain and bias into the weights that read it;
 * here they stay where they are, and only the hook points between the norm and those weights see its output without them.
 */
import type { Value } from '../onnx/graph.ts'
import type { HookedGraph } from './hooked-graph.ts'

/** What TransformerLens's norm module gives, and what fold_ln moved behind it. */
export interface NormOutput {
  /** What hook points behind the norm see. */
  readonly output: Value
  /** The part of the moved affine map that multiplies; it gives its input where nothing was moved. */
  readonly scale: (x: Value) => Value
  /** The moved bias [dModel]; null where there is none. */
  readonly bias: Value | null
}

/** What the weights behind the norm read, given what came out of the hook points before them. */
export function readNorm({ graph }: HookedGraph, norm: NormOutput, x: Value = norm.output): Value {
  const scaled = norm.scale(x)
  return norm.bias === null ? scaled : graph.add(scaled, norm.bias)
}
