import { z } from 'zod'
import { errorData } from './errors.ts'
import { precision } from './run.ts'

/** State of the inference process: `restarting` while a new one starts after the last one died. */
export const inferenceState = z.enum(['starting', 'ready', 'busy', 'restarting'])
export type InferenceState = z.infer<typeof inferenceState>

/** What the status bar shows. */
export const engineStatus = z.object({
  version: z.string(),
  engineProcess: z.int(),
  inference: inferenceState,
  inferenceProcess: z.int().nullable(),
  /** The execution provider in force, why, and whether it stands in for the one that was chosen. */
  provider: z.string(),
  precision,
  providerReason: z.string(),
  providerFellBack: z.boolean(),
  /** As many as were chosen, or as the machine has. */
  threads: z.int(),
  threadsChosen: z.boolean(),
  /** Bytes of weights mapped by open sessions. */
  mappedBytes: z.number(),
  /** Resident memory of the inference process, mapped pages that were read among it; null before it said so. */
  residentBytes: z.number().nullable(),
  mirror: z.object({ explanations: z.int(), sources: z.int(), importing: z.boolean() }),
  home: z.string()
})
export type EngineStatus = z.infer<typeof engineStatus>

/** Something a person should know that no request of theirs answers, such as a restart. */
export const notice = z.object({
  level: z.enum(['info', 'warning', 'error']),
  message: z.string(),
  at: z.number(),
  error: errorData.optional()
})
export type Notice = z.infer<typeof notice>

export const engineEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('status'), status: engineStatus }),
  z.object({ type: z.literal('notice'), notice })
])
export type EngineEvent = z.infer<typeof engineEvent>
