import { z } from 'zod'

/** How far work on the mirror is: what it does now, in a few words, and its share of the whole; null where that is not known. */
export const mirrorProgress = z.object({ stage: z.string(), fraction: z.number().min(0).max(1).nullable() })
export type MirrorProgress = z.infer<typeof mirrorProgress>

/** What a check found; no problems where the mirror is whole. */
export const checkResult = z.object({
  problems: z.array(z.string()),
  explanations: z.int(),
  sources: z.int(),
  bytes: z.number(),
  seconds: z.number()
})
export type CheckResult = z.infer<typeof checkResult>

export const backupRequest = z.object({ file: z.string().min(1) })
export const backupResult = z.object({ file: z.string(), bytes: z.number(), seconds: z.number() })
export type BackupResult = z.infer<typeof backupResult>

/**
 * What is taken out of the mirror: sources (`modelId/layer`) with all they have, or their embeddings alone. What is taken out is found
 * no more from the first moment on; its rows go a little at a time, and work that was cut off goes on with the next work on the mirror.
 */
export const removeRequest = z.object({
  sources: z.array(z.string()).min(1),
  what: z.enum(['everything', 'embeddings']).default('everything')
})
export type RemoveRequest = z.infer<typeof removeRequest>

/** How much is gone; the room is used again by later imports, and given back to the disk by compacting. */
export const removeResult = z.object({
  sources: z.array(z.string()),
  explanations: z.int(),
  statistics: z.int(),
  embeddings: z.int(),
  freeBytes: z.number(),
  seconds: z.number()
})
export type RemoveResult = z.infer<typeof removeResult>

export const compactResult = z.object({ bytesBefore: z.number(), bytesAfter: z.number(), seconds: z.number() })
export type CompactResult = z.infer<typeof compactResult>

/** Progress of one kind of work and then its result. */
function eventOf<Result extends z.ZodType>(result: Result) {
  return z.discriminatedUnion('type', [
    mirrorProgress.extend({ type: z.literal('progress') }),
    z.object({ type: z.literal('result'), result })
  ])
}
export const checkEvent = eventOf(checkResult)
export const backupEvent = eventOf(backupResult)
export const removeEvent = eventOf(removeResult)
export const compactEvent = eventOf(compactResult)

/** The mirror's file. */
export const mirrorState = z.object({
  file: z.string(),
  bytes: z.number(),
  /** Room within it that is free to be used again. */
  freeBytes: z.number(),
  explanations: z.int(),
  sources: z.int(),
  embeddings: z.int(),
  /** Sources whose rows are still to be taken out. */
  removing: z.array(z.string()),
  /** What its one writer does now: one word; null when nothing. */
  work: z.enum(['import', 'sync', 'harvest', 'check', 'backup', 'remove', 'compact', 'settle']).nullable()
})
export type MirrorState = z.infer<typeof mirrorState>
