/** SAEs as pieces of a graph: encode, decode, what is measured of them, and how their output stands in for the activation. */
import type { GraphBuilder, Value } from '../onnx/graph.ts'
import { mapAsFloat32, multiplyByWeight } from '../onnx/weights.ts'
import type { Sae } from './sae.ts'

/** x [row, position, dIn]; acts [row, position, dSae]; recons [row, position, dIn], before any reshape to heads. */
export interface SaeValues {
  readonly input: Value
  readonly actsPre: Value
  readonly actsPost: Value
  readonly recons: Value
}

/**
 * JumpReLU (Rajamanoharan et al. 2024): pre = x W_enc + b_enc, acts = relu(pre) where pre > threshold (strictly), else 0;
 * recons = acts W_dec + b_dec. Where the SAE asks for it, b_dec is subtracted from x first.
 */
export function encodeAndDecode(graph: GraphBuilder, sae: Sae, x: Value): SaeValues {
  const decoderBias = mapAsFloat32(graph, sae.decoderBias)
  const centred = sae.applyDecoderBiasToInput ? graph.subtract(x, decoderBias) : x
  const scaled = sae.inputScale === 1 ? centred : graph.multiply(centred, graph.scalar(sae.inputScale))
  const actsPre = graph.add(multiplyByWeight(graph, scaled, sae.encoder), mapAsFloat32(graph, sae.encoderBias))
  const fires = graph.greater(actsPre, mapAsFloat32(graph, sae.threshold))
  const actsPost = graph.where(fires, graph.relu(actsPre), graph.scalar(0))
  const decoded = multiplyByWeight(graph, actsPost, sae.decoder)
  const unscaled = sae.outputScale === 1 ? decoded : graph.multiply(decoded, graph.scalar(sae.outputScale))
  return { input: x, actsPre, actsPost, recons: graph.add(unscaled, decoderBias) }
}

/**
 * What flows on, row by row: recons + gate * (x - recons) where `mask` [variant, position, 1] is true, `x` elsewhere.
 * `gate` [variant, 1, 1] is 1 for rows with the error term, 0 for the others. One row in, one row per variant out.
 */
export function spliceRows(
  graph: GraphBuilder,
  x: Value,
  flowing: Value,
  recons: Value,
  mask: Value,
  gate: Value
): { output: Value; error: Value } {
  const error = graph.subtract(x, recons)
  const replaced = graph.add(recons, graph.multiply(gate, error))
  return { output: graph.where(mask, replaced, flowing), error }
}

/** Names of graph outputs, each [row, position] unless said otherwise. */
export interface SaeMeasures {
  readonly active: string
  readonly squaredError: string
  /** Squared distance from the mean over the measured positions. */
  readonly squaredDeviation: string
  readonly dot: string
  readonly inputSquare: string
  readonly reconsSquare: string
  /** The strongest features: activations and indices [row, position, k]; null when none are asked for. */
  readonly strongest: { readonly activations: string; readonly indices: string } | null
}

/** Adds what is measured of an SAE. `measured` [1, position, 1] is 1 where a position counts (special tokens do not), else 0. */
export function measureSae(graph: GraphBuilder, values: SaeValues, measured: Value, features: number): SaeMeasures {
  const { input, actsPost, recons } = values
  const perPosition = (value: Value) => graph.output(graph.sum(value, [-1]))
  const error = graph.subtract(input, recons)
  const mean = graph.divide(graph.sum(graph.multiply(input, measured), [1], true), graph.sum(measured, [1], true))
  const deviation = graph.subtract(input, mean)
  const top = features === 0 ? null : graph.topK(actsPost, features)
  return {
    active: perPosition(graph.cast(graph.greater(actsPost, graph.scalar(0)), 'float32')),
    squaredError: perPosition(graph.multiply(error, error)),
    squaredDeviation: perPosition(graph.multiply(deviation, deviation)),
    dot: perPosition(graph.multiply(input, recons)),
    inputSquare: perPosition(graph.multiply(input, input)),
    reconsSquare: perPosition(graph.multiply(recons, recons)),
    strongest: top === null ? null : { activations: graph.output(top.values), indices: graph.output(top.indices) }
  }
}
