/** One pass of an evaluation, as the engine asks for it and as the inference process answers. Bulk numbers travel as typed arrays. */
import { z } from 'zod'
import { layerOrder, precision, processingFlag, provider } from '../../contract/run.ts'
import { jobSae } from './job-sae.ts'

const float32 = z.custom<Float32Array>(value => value instanceof Float32Array)
const float64 = z.custom<Float64Array>(value => value instanceof Float64Array)

/**
 * Sequences of one length behind each other, each position of which is run in every row: with the SAE's output, or zero, where
 * `mask` [position] is 1, and as it is elsewhere. The first row is clean: its mask is 0 everywhere.
 */
export const evaluationJob = z.object({
  model: z.string(),
  sae: jobSae,
  processing: z.array(processingFlag),
  layerOrder,
  provider,
  precision: precision.optional(),
  /** Where unpacked weights may be kept. */
  cacheFolder: z.string(),
  /** [sequence, place], each sequence padded to `length`. */
  ids: z.custom<Int32Array>(value => value instanceof Int32Array),
  length: z.int().positive(),
  rows: z.array(z.object({ zero: z.boolean(), mask: z.custom<Uint8Array>(value => value instanceof Uint8Array) })).min(1),
  /** [reading, position]: 1 where a position counts in a reading's feature counts, else 0. */
  counted: float32
})
export type EvaluationJob = z.infer<typeof evaluationJob>

/** What a pass says of every position, on the clean activation unless it says row. */
export const passNumbers = z.object({
  /** [position] each: active features, sum of activations, |x - output|^2, x output, |x|^2, |output|^2. */
  active: float32,
  l1: float32,
  squaredError: float32,
  dot: float32,
  targetSquare: float32,
  outputSquare: float32,
  /** x, [position, dOut]. */
  target: float32,
  /** Positions at which each feature is active, [reading, dSae]. */
  featureCounts: float32,
  /** log p of the next token, and KL(clean || row) of what is predicted, [row, position]; nats. */
  logProbs: float64,
  divergences: float64
})
export type PassNumbers = z.infer<typeof passNumbers>

export const evaluatedPass = z.object({
  numbers: passNumbers,
  provider: z.string(),
  providerReason: z.string(),
  /** Why another provider fell back; null where none did. */
  warning: z.string().nullable(),
  /** Bytes of weights that open sessions map. */
  mappedBytes: z.number()
})
export type EvaluatedPass = z.infer<typeof evaluatedPass>
