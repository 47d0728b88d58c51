/**
 * SAEs as pieces of a graph: encode, decode, what is measured of them, and how their output stands in for the activation.
 * Order of operations and names are those of SAELens 6.18 (`sae_lens/saes/sae.py`).
 */
import type { GraphBuilder, Value } from '../onnx/graph.ts'
import { mapAsFloat32, multiplyByWeight } from '../onnx/weights.ts'
import { decoderRows, type FeatureChanges } from './edits.ts'
import type { MappedSae } from './sae.ts'

/** x [row, position, dIn]; acts [row, position, dSae]; recons, skip, output [row, position, dOut], before any reshape to heads. */
export interface SaeValues {
  readonly input: Value
  readonly actsPre: Value
  readonly actsPost: Value
  /** Before the normalisation is undone. */
  readonly recons: Value
  /** x A; null where the SAE has no skip connection. */
  readonly skip: Value | null
  /** What stands in: recons with the normalisation undone, and skip. */
  readonly output: Value
  /** What changes of activations add to `recons` and to `output`, [variant, position, dOut]. */
  changed(changes: FeatureChanges): { readonly recons: Value; readonly output: Value }
}

interface Normalised {
  readonly x: Value
  /** Undoes the normalisation on an SAE's output. */
  undo(output: Value): Value
  /** And on what is added to an output. */
  undoChange(change: Value): Value
}

/**
 * `constant_norm_rescale`: x sqrt(dIn) / |x|, undone by the same factor. `layer_norm`: (x - mean) / (std + 1e-5) with the unbiased
 * std, undone with std alone. `expected_average_only_in` does nothing here: its factor is folded into the weights, or not at all.
 */
function normalise(graph: GraphBuilder, { normalisation, dIn }: MappedSae, x: Value): Normalised {
  if (normalisation === 'constant_norm_rescale') {
    const coefficient = graph.divide(graph.scalar(Math.sqrt(dIn)), graph.norm(x, [-1], true))
    const undo = (output: Value) => graph.divide(output, coefficient)
    return { x: graph.multiply(x, coefficient), undo, undoChange: undo }
  }
  if (normalisation === 'layer_norm') {
    const mean = graph.mean(x, [-1], true)
    const centred = graph.subtract(x, mean)
    const variance = graph.divide(graph.sum(graph.multiply(centred, centred), [-1], true), graph.scalar(dIn - 1))
    const std = graph.squareRoot(variance)
    return {
      x: graph.divide(centred, graph.add(std, graph.scalar(1e-5))),
      undo: output => graph.add(graph.multiply(output, std), mean),
      undoChange: change => graph.multiply(change, std)
    }
  }
  return { x, undo: output => output, undoChange: change => change }
}

function scaled(graph: GraphBuilder, value: Value, scale: number): Value {
  return scale === 1 ? value : graph.multiply(value, graph.scalar(scale))
}

function thresholdOf(graph: GraphBuilder, activation: Extract<MappedSae['weights']['activation'], { kind: 'jumprelu' }>): Value {
  const { threshold } = activation
  if ('value' in threshold) return graph.scalar(threshold.value)
  const stored = mapAsFloat32(graph, threshold.tensor)
  return threshold.isLogarithm ? graph.exponential(stored) : stored
}

/** relu of the k largest; a NaN counts as the largest, as in torch, and stays one. */
function keepLargest(graph: GraphBuilder, pre: Value, k: number): Value {
  // TopK's indices are not to be trusted where it meets a NaN.
  const ranked = graph.where(graph.isNaN(pre), graph.scalar(Number.POSITIVE_INFINITY), pre)
  const { indices } = graph.topK(ranked, k)
  return graph.scatterElements(graph.zerosLike(pre), indices, graph.relu(graph.gatherElements(pre, indices, -1)), -1)
}

/** Pre-activations (the magnitude's for gated SAEs) and activations of `encoded` = x W_enc; `units` are |W_dec| rows, or null. */
function activate(graph: GraphBuilder, { weights }: MappedSae, encoded: Value, units: Value | null): { pre: Value; post: Value } {
  const { activation, encoderBias } = weights
  const gatedBy = (values: Value, fires: Value) => graph.multiply(values, graph.cast(fires, 'float32'))
  if (activation.kind === 'gated') {
    const gate = graph.greater(graph.add(encoded, mapAsFloat32(graph, activation.gateBias)), graph.scalar(0))
    const magnitude = graph.multiply(encoded, graph.exponential(mapAsFloat32(graph, activation.magnitudeLogScale)))
    const pre = graph.add(magnitude, mapAsFloat32(graph, activation.magnitudeBias))
    return { pre, post: gatedBy(graph.relu(pre), gate) }
  }
  const pre = encoderBias === null ? encoded : graph.add(encoded, mapAsFloat32(graph, encoderBias))
  const measured = units === null ? pre : graph.multiply(pre, units)
  switch (activation.kind) {
    case 'relu':
      return { pre, post: graph.relu(measured) }
    case 'tanh-relu':
      return { pre, post: graph.tanh(graph.relu(measured)) }
    case 'jumprelu':
      return { pre, post: gatedBy(graph.relu(measured), graph.greater(measured, thresholdOf(graph, activation))) }
    case 'topk':
      return { pre, post: keepLargest(graph, measured, activation.k) }
  }
}

/** |W_dec| rows, [dSae]. */
function decoderNorms(graph: GraphBuilder, { weights: { decoder } }: MappedSae): Value {
  const [dSae = 0, dOut = 0] = decoder.shape
  if (decoder.columnMajor !== true) return graph.norm(mapAsFloat32(graph, decoder), [1])
  return graph.norm(mapAsFloat32(graph, { ...decoder, shape: [dOut, dSae], columnMajor: false }), [0])
}

/**
 * An SAE over x [row, position, dIn]: normalise, subtract b_dec where it asks for it, encode, activate, decode, undo the
 * normalisation, add the skip connection. A transcoder's output is another activation, so nothing is undone on it.
 */
export function encodeAndDecode(graph: GraphBuilder, sae: MappedSae, x: Value): SaeValues {
  const { encoder, decoder, decoderBias, actsScale, skip } = sae.weights
  const factor = sae.normFactor?.value ?? 1
  const bias = decoderBias === null ? null : scaled(graph, mapAsFloat32(graph, decoderBias), 1 / factor)
  const normalised = normalise(graph, sae, x)
  const centred = sae.appliesDecoderBiasToInput && bias !== null ? graph.subtract(normalised.x, bias) : normalised.x
  const encoded = multiplyByWeight(graph, scaled(graph, centred, sae.encoderScale * factor), encoder)
  const units = sae.rescalesByDecoderNorm ? decoderNorms(graph, sae) : null
  const { pre, post } = activate(graph, sae, encoded, units)
  return { input: x, actsPre: pre, actsPost: post, ...decode(post), changed }

  function decode(acts: Value): Pick<SaeValues, 'recons' | 'skip' | 'output'> {
    const finetuned = actsScale === null ? acts : graph.multiply(acts, mapAsFloat32(graph, actsScale))
    const decoded = multiplyByWeight(graph, units === null ? finetuned : graph.divide(finetuned, units), decoder)
    const unbiased = scaled(graph, decoded, sae.decoderScale / factor)
    const recons = bias === null ? unbiased : graph.add(unbiased, bias)
    const whole = sae.isTranscoder ? recons : normalised.undo(recons)
    if (skip === null) return { recons, skip: null, output: whole }
    const skipped = multiplyByWeight(graph, x, skip)
    return { recons, skip: skipped, output: graph.add(whole, skipped) }
  }

  function changed({ features, changes }: FeatureChanges): { recons: Value; output: Value } {
    const perFeature = (values: Value) => graph.unsqueeze(graph.gather(values, features), [1])
    const rows = decoderRows(graph, sae, features)
    const finetuned = actsScale === null ? changes : graph.multiply(changes, perFeature(mapAsFloat32(graph, actsScale)))
    const weighted = sae.rescalesByDecoderNorm ? graph.divide(finetuned, graph.unsqueeze(graph.norm(rows, [2]), [1])) : finetuned
    const recons = scaled(graph, graph.matmul(weighted, rows), sae.decoderScale / factor)
    return { recons, output: sae.isTranscoder ? recons : normalised.undoChange(recons) }
  }
}

/**
 * What flows on, row by row: output + gate * (target - output) + change where `mask` [variant, position, 1] is true, `flowing`
 * elsewhere. `gate` [variant, 1, 1] is 1 for rows with the error term, 0 for the others; `change` is what edits add, if there are any:
 * the error is that of the output without them. One row in, one row per variant out.
 */
export function spliceRows(
  graph: GraphBuilder,
  target: Value,
  flowing: Value,
  output: Value,
  mask: Value,
  gate: Value,
  change: Value | null
): { output: Value; error: Value } {
  const error = graph.subtract(target, output)
  const unedited = graph.add(output, graph.multiply(gate, error))
  const replaced = change === null ? unedited : graph.add(unedited, change)
  return { output: graph.where(mask, replaced, flowing), error }
}

/**
 * What flows on, row by row: zero where `zero` [variant, 1, 1] is true and the output elsewhere, both where `mask`
 * [variant, position, 1] is true; `flowing` where it is not.
 */
export function ablateRows(graph: GraphBuilder, flowing: Value, output: Value, mask: Value, zero: Value): Value {
  return graph.where(mask, graph.where(zero, graph.scalar(0), output), flowing)
}

/** Names of graph outputs, each [row, position]: active features, and an output against its target. */
export interface TargetComparison {
  readonly active: string
  readonly squaredError: string
  readonly dot: string
  readonly targetSquare: string
  readonly outputSquare: string
}

/** What is measured of an SAE in a run; names of graph outputs, each [row, position] unless said otherwise. */
export interface SaeMeasures extends TargetComparison {
  /** Squared distance from the mean over the measured positions. */
  readonly squaredDeviation: string
  /** Squared distance from the mean over all positions. */
  readonly squaredDeviationOfAll: string
  /** The strongest features: activations and indices [row, position, k]; null when none are asked for. */
  readonly strongest: { readonly activations: string; readonly indices: string } | null
}

/** What is compared: an SAE's output with its input, a transcoder's with the activation that it stands in for. */
export interface Compared {
  readonly actsPost: Value
  readonly target: Value
  readonly output: Value
}

function compare(graph: GraphBuilder, { target, output }: Compared, active: Value): TargetComparison {
  const perPosition = (value: Value) => graph.output(graph.sum(value, [-1]))
  const error = graph.subtract(target, output)
  return {
    active: perPosition(graph.cast(active, 'float32')),
    squaredError: perPosition(graph.multiply(error, error)),
    dot: perPosition(graph.multiply(target, output)),
    targetSquare: perPosition(graph.multiply(target, target)),
    outputSquare: perPosition(graph.multiply(output, output))
  }
}

/** Adds what is measured of an SAE. `measured` [1, position, 1] is 1 where a position counts (special tokens do not), else 0. */
export function measureSae(graph: GraphBuilder, compared: Compared, measured: Value, features: number): SaeMeasures {
  const { actsPost, target } = compared
  const mean = graph.divide(graph.sum(graph.multiply(target, measured), [1], true), graph.sum(measured, [1], true))
  const deviation = graph.subtract(target, mean)
  const deviationOfAll = graph.subtract(target, graph.mean(target, [1], true))
  const active = graph.greater(actsPost, graph.scalar(0))
  // A NaN would scramble the order; such positions have no features to show, and their error says NaN.
  const top = features === 0 ? null : graph.topK(graph.where(active, actsPost, graph.scalar(0)), features)
  return {
    ...compare(graph, compared, active),
    squaredDeviation: graph.output(graph.sum(graph.multiply(deviation, deviation), [-1])),
    squaredDeviationOfAll: graph.output(graph.sum(graph.multiply(deviationOfAll, deviationOfAll), [-1])),
    strongest: top === null ? null : { activations: graph.output(top.values), indices: graph.output(top.indices) }
  }
}

/**
 * Active features where they count; names of graph outputs, as long as there are such: places `position * dSae + feature` (int32, ascending)
 * and the activations there.
 */
export interface SparseActivations {
  readonly places: string
  readonly values: string
}

/** Adds an SAE's active features. `counted` [1, position, 1] is true where a position counts. A NaN is not active. */
export function sparseActivations(graph: GraphBuilder, actsPost: Value, counted: Value): SparseActivations {
  const active = graph.and(graph.greater(actsPost, graph.scalar(0)), counted)
  const places = graph.placesOf(graph.reshape(active, [-1]))
  const values = graph.gather(graph.reshape(actsPost, [-1]), places)
  return { places: graph.output(graph.cast(places, 'int32')), values: graph.output(values) }
}

/** What an evaluation wants of an SAE; names of graph outputs, each [row, position] unless said otherwise. */
export interface SaeEvaluation extends TargetComparison {
  /** Sum of the activations. */
  readonly l1: string
  /** The activation that the output stands in for, [row, position, dOut]. */
  readonly target: string
  /** At how many positions each feature is active, [reading, dSae]. */
  readonly featureCounts: string
}

/** Adds what an evaluation wants. `counted` [reading, position] is 1 where a position counts in a reading, else 0. */
export function evaluateSae(graph: GraphBuilder, compared: Compared, dSae: number, counted: Value): SaeEvaluation {
  const { actsPost, target } = compared
  const active = graph.greater(actsPost, graph.scalar(0))
  const flags = graph.reshape(graph.cast(active, 'float32'), [-1, dSae])
  return {
    ...compare(graph, compared, active),
    l1: graph.output(graph.sum(actsPost, [-1])),
    target: graph.output(target),
    featureCounts: graph.output(graph.matmul(counted, flags))
  }
}
