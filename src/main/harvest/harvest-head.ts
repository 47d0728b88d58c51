/** What a harvest is and how far it is: the beginning of its file. */
import { z } from 'zod'
import { harvestedSae, harvestedText } from '../../contract/harvest.ts'
import { tallyShape } from './tally-shape.ts'
import { firstCursor, textCursor } from './text-sequences.ts'

/** What was asked, by the words that a person knows; another value anywhere is another harvest. */
const words = z.record(z.string(), z.string())
export type Words = Readonly<z.infer<typeof words>>

/** A share of a text: passes whose number, divided by `of`, leaves `index - 1`. `text` tells what files hold, `tokens` how many are read. */
export const harvestPart = z.object({ text: z.string(), tokens: z.int(), index: z.int().min(1), of: z.int().min(1) })
export type HarvestPart = z.infer<typeof harvestPart>

export const harvestFacts = z.object({
  /** Where it goes on from: what is the same whenever the same is asked for again. */
  asked: words,
  /** What it can be put together with: what is the same wherever the same model and SAEs read other texts. */
  kin: words,
  parts: z.array(harvestPart).min(1),
  shape: tallyShape,
  model: z.object({ name: z.string(), path: z.string() }),
  saes: z.array(harvestedSae).min(1),
  texts: z.array(harvestedText),
  documents: z.enum(['joined', 'apart']),
  context: z.int(),
  countSpecial: z.boolean(),
  processing: z.array(z.string()),
  /** What the request was, so that it can be asked for again. */
  request: z.unknown()
})
export type HarvestFacts = z.infer<typeof harvestFacts>

/** Where the next pass is: how many of a window are behind, and what is behind the window. Passes of other shards count. */
export const harvestPosition = z.object({
  cursor: textCursor,
  passesBehind: z.int(),
  passes: z.int(),
  sequences: z.int(),
  tokens: z.int()
})
export type HarvestPosition = z.infer<typeof harvestPosition>

export const harvestState = z.object({
  position: harvestPosition,
  /** Tokens that went through the model, those of them that count, and sequences. */
  tokens: z.int(),
  counted: z.int(),
  sequences: z.int(),
  /** Ids of sequences that did not fit the context. */
  idsLeftOut: z.int(),
  /** Infinite activations, which are in no number. */
  infinite: z.int(),
  provider: z.object({ name: z.string(), reason: z.string() }).nullable(),
  warnings: z.array(z.string()),
  seconds: z.number(),
  /** Whether all that was asked for is in it. */
  isWhole: z.boolean()
})
export type HarvestState = z.infer<typeof harvestState>

export const beginningState: HarvestState = {
  position: { cursor: firstCursor, passesBehind: 0, passes: 0, sequences: 0, tokens: 0 },
  tokens: 0,
  counted: 0,
  sequences: 0,
  idsLeftOut: 0,
  infinite: 0,
  provider: null,
  warnings: [],
  seconds: 0,
  isWhole: false
}

export const harvestHead = z.object({ facts: harvestFacts, state: harvestState })
export type HarvestHead = z.infer<typeof harvestHead>
