import { z } from 'zod'
import { maybeNumber } from './numbers.ts'
import { alarm, layerOrder, precision, processing, processingFlag, prompt, provider, publishedMetrics, runRequest, runSae } from './run.ts'

/** An SAE as a run has it, to be tried at other hook points and readings on the run's own prompt. */
export const saeCheckRequest = z.object({
  model: z.string(),
  sae: runSae,
  prompt,
  processing: processing.default('auto'),
  layerOrder: layerOrder.default('checkpoint'),
  metricPositions: runRequest.shape.metricPositions,
  provider: provider.default('auto'),
  precision: precision.optional()
})
export type SaeCheckRequest = z.infer<typeof saeCheckRequest>

/** What a try does to the prompt's BOS. */
export const triedBos = z.enum(['as-given', 'added', 'left-out'])
export type TriedBos = z.infer<typeof triedBos>

/**
 * One way to put the SAE on the model, and what it measures there. `l0Factor` and `unexplainedFactor` say how many times a figure is
 * off the published one, 1 for none; null where nothing is published. `fits`: no figure is off by more than two.
 */
export const saeTry = z.object({
  hook: z.string(),
  hookOut: z.string().nullable(),
  processing: z.array(processingFlag),
  normFactor: z.number().nullable(),
  bos: triedBos,
  counted: z.enum(['no-special', 'all']),
  l0: maybeNumber,
  explainedVariance: maybeNumber,
  positions: z.int(),
  l0Factor: maybeNumber,
  unexplainedFactor: maybeNumber,
  fits: z.boolean(),
  isPresent: z.boolean(),
  /** Whether this is where its files or its path say that it belongs. */
  isOwnPlace: z.boolean()
})
export type SaeTry = z.infer<typeof saeTry>

/** What to change so that a run has the try's reading; what is left out stays as it is. A `normFactor` of null goes back to the SAE's own. */
export const saeChange = z.object({
  hook: z.string().optional(),
  hookOut: z.string().optional(),
  processing: z.array(processingFlag).optional(),
  normFactor: z.number().positive().nullable().optional(),
  prependBos: z.boolean().optional(),
  metricPositions: runRequest.shape.metricPositions.unwrap().optional()
})
export type SaeChange = z.infer<typeof saeChange>

/**
 * What a check found. `present-fits`: the reading in force is as published; `other-fits`: another is, and explains at least as
 * much; `none-fits`: none that explains as much is as published; `explains-more` and `explains-most`, where nothing is published:
 * another reading, or the present one, explains the most.
 */
export const saeVerdict = z.object({
  kind: z.enum(['present-fits', 'other-fits', 'none-fits', 'explains-more', 'explains-most']),
  /** In one or two sentences, with the numbers. */
  text: z.string(),
  /** Place in `tries` of the reading that the verdict is about. */
  about: z.int(),
  /** What makes it the reading in force; null where it is that already. */
  change: saeChange.nullable()
})
export type SaeVerdict = z.infer<typeof saeVerdict>

export const saeCheck = z.object({
  sae: z.string(),
  path: z.string(),
  model: z.string(),
  published: publishedMetrics,
  /** All tries: the present one first, then by what they explain. */
  tries: z.array(saeTry).min(1),
  verdict: saeVerdict,
  alarm: alarm.nullable(),
  /** Whether there are too few tokens to rely on. */
  isShort: z.boolean()
})
export type SaeCheck = z.infer<typeof saeCheck>

/** A check under way: how far it is, then what it found, which is the last event. */
export const saeCheckEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), stage: z.string(), fraction: z.number().min(0).max(1) }),
  z.object({ type: z.literal('result'), check: saeCheck })
])
export type SaeCheckEvent = z.infer<typeof saeCheckEvent>
