/** What is held of each feature of a harvest, and how much memory that is. */
import { z } from 'zod'

/** Bins of a histogram, from zero on, and intervals that examples are drawn from: eight bins each. */
export const binCount = 64
export const intervalCount = 8

/** Most examples of a group, and most tokens of an example: both are counted in a byte. */
export const mostExamples = 255
export const mostTokens = 255

export const tallyShape = z.object({
  /** Strongest examples of a feature. */
  top: z.int().min(0).max(mostExamples),
  /** Examples of each interval of activation. */
  perInterval: z.int().min(0).max(mostExamples),
  /** Tokens in front of an example's token and behind it. */
  before: z
    .int()
    .min(0)
    .max(mostTokens - 1),
  after: z
    .int()
    .min(0)
    .max(mostTokens - 1)
})
export type TallyShape = z.infer<typeof tallyShape>

/** Tokens of an example at most. */
export function tokensOf({ before, after }: TallyShape): number {
  return before + 1 + after
}

/** Examples of a feature at most. */
export function slotsOf({ top, perInterval }: TallyShape): number {
  return top + intervalCount * perInterval
}

/** Bytes of an example: its tokens and their activations, its activation, hash, place, where its token is among how many. */
function bytesOfSlot(shape: TallyShape): number {
  return 8 * tokensOf(shape) + 4 + 8 + 8 + 2
}

/** Bytes that are held of a feature, whatever the number of tokens. */
export function bytesOfFeature(shape: TallyShape): number {
  // Its count, maximum, exponent, bins, how many examples each group has and from where on it takes none, its entries in a pass.
  return 8 + 4 + 2 + 4 * binCount + (1 + intervalCount) + 8 * intervalCount + 4 + 4 + slotsOf(shape) * bytesOfSlot(shape)
}
