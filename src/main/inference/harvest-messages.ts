/** One pass of a harvest, as the engine asks for it and as the inference process answers. Bulk numbers travel as typed arrays. */
import { z } from 'zod'
import { layerOrder, precision, processingFlag, provider } from '../../contract/run.ts'
import { jobSae } from './job-sae.ts'

const int32 = z.custom<Int32Array>(value => value instanceof Int32Array)

/** Sequences of one length behind each other, and SAEs that are read on them. */
export const harvestJob = z.object({
  model: z.string(),
  saes: z.array(jobSae).min(1),
  processing: z.array(processingFlag),
  layerOrder,
  provider,
  precision: precision.optional(),
  /** Where unpacked weights may be kept. */
  cacheFolder: z.string(),
  /** [sequence, place], each sequence padded to `length`. */
  ids: int32,
  length: z.int().positive(),
  /** [position]: 1 where a position counts, else 0. */
  counted: z.custom<Uint8Array>(value => value instanceof Uint8Array)
})
export type HarvestJob = z.infer<typeof harvestJob>

/** An SAE's active features where positions count: places `position * dSae + feature`, ascending, and the activations there. */
export const sparseReading = z.object({ places: int32, values: z.custom<Float32Array>(value => value instanceof Float32Array) })
export type SparseReading = z.infer<typeof sparseReading>

export const harvestedPass = z.object({
  /** Of each SAE of the job, in its order. */
  saes: z.array(sparseReading),
  provider: z.string(),
  providerReason: z.string(),
  /** Why another provider fell back; null where none did. */
  warning: z.string().nullable(),
  /** Bytes of weights that open sessions map. */
  mappedBytes: z.number()
})
export type HarvestedPass = z.infer<typeof harvestedPass>
