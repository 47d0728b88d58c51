/** Every feature of an SAE that is active on a run's tokens, not only the strongest that the run itself lists. */
import { z } from 'zod'
import { runRequest, saeName } from './run.ts'

/** Most entries (a feature at a position of a variant) that one reading holds: 64 MB of indices and activations. */
export const mostEntries = 8e6

/** A run, and the SAE of it that is read in every variant. */
export const featureReadingRequest = z.object({ run: runRequest, sae: saeName })
export type FeatureReadingRequest = z.infer<typeof featureReadingRequest>

/**
 * How many features are active at each position of a variant, and how many of these entries are not among what is held, because a
 * position holds the `perPosition` strongest at most.
 */
export const variantReading = z.object({ variant: z.string(), active: z.array(z.int()), held: z.int(), leftOut: z.int() })
export type VariantReading = z.infer<typeof variantReading>

export const featureReading = z.object({
  /** By which values are fetched, for as long as the stream is open. */
  id: z.string(),
  sae: saeName,
  dSae: z.int(),
  perPosition: z.int(),
  variants: z.array(variantReading)
})
export type FeatureReading = z.infer<typeof featureReading>

/** What a reading says: how far it is, then what there is to fetch. The values are held until the stream ends. */
export const featureReadingEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), stage: z.string(), fraction: z.number().min(0).max(1) }),
  z.object({ type: z.literal('result'), reading: featureReading })
])
export type FeatureReadingEvent = z.infer<typeof featureReadingEvent>

export const activeFeaturesRequest = z.object({ id: z.string(), variant: z.string() })
export type ActiveFeaturesRequest = z.infer<typeof activeFeaturesRequest>

/**
 * The active features of a variant, sparse: those of position i are entries `starts[i]` up to, not including, `starts[i + 1]`,
 * strongest first. `starts` and `features` are int32, `activations` float32, little-endian.
 */
export const activeFeatures = z.object({
  starts: z.instanceof(Blob),
  features: z.instanceof(Blob),
  activations: z.instanceof(Blob)
})
export type ActiveFeatures = z.infer<typeof activeFeatures>
