/** Every cached hook point of a run: names, shapes, statistics, the values themselves for display, and files of them. */
import { z } from 'zod'
import { heldFile } from './held-files.ts'
import { maybeNumber } from './numbers.ts'
import { runRequest, saeName, token } from './run.ts'

/**
 * What an axis of an activation runs over: `position-head` where TransformerLens flattens batch, positions and heads into one,
 * `other` where the hook point has a shape of its own.
 */
export const axis = z.enum(['batch', 'position', 'query', 'key', 'head', 'position-head', 'feature', 'other'])
export type Axis = z.infer<typeof axis>

/**
 * A hook point as it is known without a run: sizes, or `pos`, `query`, `key` where they follow the prompt; the batch
 * dimension of 1 comes first, as in TransformerLens. `4*pos` is batch, positions and 4 heads in one axis.
 */
export const hookPoint = z.object({
  name: z.string(),
  shape: z.array(z.union([z.int(), z.string().regex(/^((\d+\*)?pos|query|key)$/)])),
  /** The SAE whose splice makes this hook point exist; null for the model's own. */
  sae: saeName.nullable(),
  /** SAEs whose splice replaces this hook point: a variant that splices one of them has the SAE's own hook points instead. */
  replacedBy: z.array(saeName),
  /** True where only a splice with the error term has it. */
  errorTermOnly: z.boolean()
})
export type HookPoint = z.infer<typeof hookPoint>

/** A model with the SAEs given, in the order in which the hook points run. */
export const hookPoints = z.object({
  model: z.object({ path: z.string(), name: z.string(), layers: z.int() }),
  /** `target` is the hook point whose activation its output stands in for: another one for transcoders. */
  saes: z.array(z.object({ name: saeName, path: z.string(), hook: z.string(), target: z.string() })),
  points: z.array(hookPoint)
})
export type HookPoints = z.infer<typeof hookPoints>

/** One variant of a run; `against` names another variant of it to measure differences from. */
export const hookRequest = z.object({ run: runRequest, variant: z.string(), against: z.string().optional() })
export type HookRequest = z.infer<typeof hookRequest>

/**
 * Over finite values alone; null where there are none. `std` divides by n - 1, as torch.std does by default, so it is null
 * for a single value. Masked attention scores are -Infinity and are counted as such.
 */
export const hookStatistics = z.object({
  mean: maybeNumber,
  std: maybeNumber,
  min: maybeNumber,
  max: maybeNumber,
  finite: z.int(),
  nan: z.int(),
  positiveInfinity: z.int(),
  negativeInfinity: z.int()
})
export type HookStatistics = z.infer<typeof hookStatistics>

/**
 * |x - y| against the same hook point of another variant, over the `compared` places where both are finite.
 * `unlike` counts places where the two are not both finite and not the same: a NaN or infinity on one side alone.
 */
export const hookDifference = z.object({ meanAbsolute: maybeNumber, maxAbsolute: maybeNumber, compared: z.int(), unlike: z.int() })
export type HookDifference = z.infer<typeof hookDifference>

/** One cached activation of a variant. `shape` and `axes` begin with the batch dimension of 1, but for flattened heads; `bytes` are those of float32. */
export const cachedHook = z.object({
  name: z.string(),
  sae: saeName.nullable(),
  shape: z.array(z.int()),
  axes: z.array(axis),
  bytes: z.number(),
  statistics: hookStatistics,
  /** Null without `against`, and where the other variant does not have this hook point. */
  difference: hookDifference.nullable()
})
export type CachedHook = z.infer<typeof cachedHook>

/** All cached activations of one variant, in the order in which they run. */
export const hookTable = z.object({
  model: z.object({ path: z.string(), name: z.string() }),
  tokens: z.array(token),
  variant: z.string(),
  against: z.string().nullable(),
  hooks: z.array(cachedHook),
  /** Hook points that the variant's splices replace, so that they are not among `hooks`. */
  replaced: z.array(z.object({ name: z.string(), sae: saeName })),
  milliseconds: z.number()
})
export type HookTable = z.infer<typeof hookTable>

const progress = z.object({ type: z.literal('progress'), stage: z.string(), fraction: z.number().min(0).max(1) })

export const hookTableEvent = z.discriminatedUnion('type', [progress, z.object({ type: z.literal('result'), table: hookTable })])
export type HookTableEvent = z.infer<typeof hookTableEvent>

/** One activation of a variant. */
export const activationRequest = hookRequest.extend({ hook: z.string() })
export type ActivationRequest = z.infer<typeof activationRequest>

/**
 * How far a colour scale has to reach, in |x| over finite values: `largest` of all; `ordinary`, the largest at positions
 * without special tokens (of queries and keys, for attention); `most`, a bound that 99% of the values keep. Null where there are none.
 */
export const magnitudes = z.object({ largest: maybeNumber, ordinary: maybeNumber, most: maybeNumber })
export type Magnitudes = z.infer<typeof magnitudes>

/** An activation that has been computed and is kept, within a bound, so that looking at its values is quick. */
export const activation = z.object({
  hook: cachedHook,
  magnitudes,
  /** Of x - y; null where the other variant does not have the hook point, or none is named. */
  differenceMagnitudes: magnitudes.nullable()
})
export type Activation = z.infer<typeof activation>

export const activationEvent = z.discriminatedUnion('type', [progress, z.object({ type: z.literal('result'), activation })])
export type ActivationEvent = z.infer<typeof activationEvent>

/**
 * How cells that stand for several values sum them up: `largest` is the value of the largest |x|, with its sign, `mean` the mean.
 * Both take finite values; a cell with a NaN is NaN, one with infinities alone is infinite.
 */
export const pooling = z.enum(['largest', 'mean'])
export type Pooling = z.infer<typeof pooling>

const range = z.tuple([z.int().nonnegative(), z.int().nonnegative()])

/**
 * A window onto an activation. An activation is `planes` pictures of rows and columns: a head of attention is a plane of
 * queries by keys; with `byHead`, a head of q, k, v or z is one of positions by d_head; everything else is a single plane of
 * positions by features (heads side by side). Ranges are half-open and clamped to what there is. Cells are as few as keep within
 * `mostRows` and `mostColumns`: each stands for the same whole number of values, the last ones for what remains.
 */
export const activationWindow = z.object({
  byHead: z.boolean().default(true),
  planes: range,
  rows: range,
  columns: range,
  mostRows: z.int().min(1).max(8192),
  mostColumns: z.int().min(1).max(8192),
  pooling: pooling.default('largest'),
  /** x - y, of the request's variant and its `against`, in place of x. */
  difference: z.boolean().default(false)
})
export type ActivationWindow = z.infer<typeof activationWindow>

/** Most cells that one answer holds. */
export const mostCells = 4e6

/** float32 values, little-endian. */
const floats = z.instanceof(Blob)

/**
 * What a window shows. `values` are float32 [plane, row, column] of the cells, exact where `rowsPerCell` and `columnsPerCell`
 * are 1. `norms` are float32 |x| (Euclidean) of each whole row of the range, never pooled; null for attention.
 */
export const activationValues = z.object({
  /** How many planes, rows and columns the activation has in all. */
  whole: z.object({ planes: z.int(), rows: z.int(), columns: z.int() }),
  planes: range,
  rows: range,
  columns: range,
  rowsPerCell: z.int(),
  columnsPerCell: z.int(),
  values: floats,
  norms: floats.nullable()
})
export type ActivationValues = z.infer<typeof activationValues>

/** A file of activations that the engine holds for as long as the stream is open: fetch its parts, then end the stream. */
export const hookFileEvent = z.discriminatedUnion('type', [progress, heldFile])
export type HookFileEvent = z.infer<typeof hookFileEvent>

/** A run to save to such a file; `logits` too where they are wanted. */
export const hookFileRequest = z.object({ run: runRequest, logits: z.boolean().default(false) })
export type HookFileRequest = z.infer<typeof hookFileRequest>
