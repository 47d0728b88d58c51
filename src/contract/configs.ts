import { z } from 'zod'
import { catalogueOrigin, trap } from './releases.ts'
import { processingFlag } from './run.ts'

/** A tensor of an SAE as its file's header says. */
export const storedTensor = z.object({
  name: z.string(),
  dtype: z.string(),
  shape: z.array(z.int()),
  file: z.string(),
  sizeBytes: z.number()
})

/** A config file beside an SAE's weights, as it is; `why` says why there is no value. */
export const configFile = z.object({ file: z.string(), value: z.unknown(), why: z.string().nullable() })

/** All that is known of an SAE without its weights: how Splice reads it, what its files say, what its release says. */
export const saeConfig = z.object({
  path: z.string(),
  /** As Splice reads it, by name. */
  reading: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
  /** What to know about how it is read. */
  notes: z.array(z.string()),
  tensors: z.array(storedTensor),
  files: z.array(configFile),
  /** What its release says, and which table that is. */
  release: z.record(z.string(), z.unknown()).nullable(),
  catalogue: z.object({ asOf: z.string(), origin: catalogueOrigin }),
  traps: z.array(trap)
})
export type SaeConfig = z.infer<typeof saeConfig>

const configValue = z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())])
export type ConfigValue = z.infer<typeof configValue>

/** What a processing flag does to a model: `hookPoints` change their values, `*` standing for a layer; `why` says how, or why nothing does. */
export const processingEffect = z.object({
  flag: processingFlag,
  effect: z.enum(['applied', 'skipped', 'nothing']),
  why: z.string(),
  hookPoints: z.array(z.string()),
  /** Whether the logits change, and by what. */
  logits: z.string().nullable()
})
export type ProcessingEffect = z.infer<typeof processingEffect>

/** A model's config by HookedTransformerConfig's names, as TransformerLens 2.18 has it for the unprocessed model. */
export const modelConfig = z.object({
  path: z.string(),
  architecture: z.string().nullable(),
  /** Null, with `why`, for a family whose config Splice cannot translate. */
  config: z.record(z.string(), configValue).nullable(),
  why: z.string().nullable(),
  processing: z.array(processingEffect),
  /** config.json as it is. */
  file: z.string(),
  value: z.unknown()
})
export type ModelConfig = z.infer<typeof modelConfig>
