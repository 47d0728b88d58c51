import { z } from 'zod'
import { processingFlag, processingOrigin } from './run.ts'

/** What one SAE asks of the model's loading, and what says so; `release` names its release where the table knows it. */
export const askedProcessing = z.object({
  sae: z.string(),
  flags: z.array(processingFlag),
  from: z.enum(['release', 'config', 'unknown']),
  release: z.string().nullable()
})
export type AskedProcessing = z.infer<typeof askedProcessing>

/** The processing that a run would have, and what each of its SAEs asks for. Where they disagree under `auto` there is none. */
export const processingChoice = z.object({
  inForce: z.object({ flags: z.array(processingFlag), from: processingOrigin, reason: z.string() }).nullable(),
  asked: z.array(askedProcessing),
  /** Two SAEs that ask for different things, in one sentence that names both; null where all agree. */
  disagreement: z.string().nullable()
})
export type ProcessingChoice = z.infer<typeof processingChoice>
