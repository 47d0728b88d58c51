/** The logit lens (nostalgebraist 2020): what the unembedding makes of the residual stream after every block, under several variants. */
import { z } from 'zod'
import { maybeNumber } from './numbers.ts'
import { layerOrder, predictedToken, processingFlag, processingOrigin, promptTokens, runRequest, token } from './run.ts'

/** Most entries (a token listed at a position of a layer of a variant) that one answer holds. */
export const mostLensEntries = 5e5
/** Most bytes of residual streams, after the final norm, that are held at once. */
export const mostLensBytes = 2e9

/**
 * A run read through the lens. `topK` of the run is how many tokens each cell lists; its `save` takes whole logits, as
 * `<variant>/logit_lens.logits` [layers + 1, position, vocabulary]. `positions` is a half-open range from zero, null for the whole
 * prompt. Without `softCap` the final soft cap of Gemma-2 is left out, as in TransformerLens's `unembed`.
 */
export const lensRequest = z.object({
  run: runRequest,
  positions: z.tuple([z.int().nonnegative(), z.int().nonnegative()]).nullable().default(null),
  softCap: z.boolean().default(true)
})
export type LensRequest = z.infer<typeof lensRequest>

/** How a layer sees one token at each position: its log-prob (nats) and its rank, 0 being the best. Null where there is no such token. */
export const tokenStanding = z.object({ logProbs: z.array(maybeNumber), ranks: z.array(z.int().nullable()) })
export type TokenStanding = z.infer<typeof tokenStanding>

/**
 * A layer of a variant: the residual stream where block `n` reads it (`n_pre`, TransformerLens's `accumulated_resid`), or what comes out of
 * the last block (`final_post`), through the final norm with statistics of its own and the unembedding. Lists run over the positions.
 */
export const lensLayer = z.object({
  label: z.string(),
  /** What it says follows each token, best first. */
  topK: z.array(z.array(predictedToken)),
  /** KL(final || layer) in nats, to what the same variant predicts in the end. */
  klToFinal: z.array(maybeNumber),
  /** The token that the variant itself holds likeliest in the end. */
  final: tokenStanding,
  /** The token that actually follows. */
  actual: tokenStanding
})
export type LensLayer = z.infer<typeof lensLayer>

/** `final`: the likeliest next token at each position in the end; null where logits are not numbers. */
export const lensVariant = z.object({ name: z.string(), final: z.array(token.nullable()), layers: z.array(lensLayer) })
export type LensVariant = z.infer<typeof lensVariant>

export const lensResult = z.object({
  model: z.object({ path: z.string(), name: z.string() }),
  ...promptTokens.shape,
  /** Half-open; the lists of layers begin at the first one. */
  positions: z.tuple([z.int(), z.int()]),
  processing: z.array(processingFlag),
  processingFrom: processingOrigin,
  processingReason: z.string(),
  layerOrder,
  /** The soft cap that the logits went through; null where there is none or it was left out. */
  softCap: z.number().nullable(),
  variants: z.array(lensVariant),
  provider: z.string(),
  providerReason: z.string(),
  milliseconds: z.number()
})
export type LensResult = z.infer<typeof lensResult>

export const lensEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('progress'), stage: z.string(), fraction: z.number().min(0).max(1) }),
  z.object({ type: z.literal('result'), result: lensResult })
])
export type LensEvent = z.infer<typeof lensEvent>
