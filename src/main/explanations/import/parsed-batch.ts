/** What a parser's thread hands to the writer: rows that are checked and ready to be written, and how far its file is read. */
import { z } from 'zod'

/** Where a row belongs: its source as a place in `sources` of its batch. */
interface Placed {
  readonly source: number
  readonly feature: number
}

export interface ParsedExplanation extends Placed {
  readonly description: string
  readonly id: string | null
  readonly explainer: string | null
  readonly type: string | null
  readonly author: string | null
}

/** `details` and `examples` are deflated JSON, see rows.ts. */
export interface ParsedFeature extends Placed {
  readonly maxActivation: number | null
  readonly density: number | null
  readonly details: Uint8Array
  readonly examples: Uint8Array | null
}

/** Consecutive activations of one feature; `part` tells them from others of it, and is the same whenever they are read. */
export interface ParsedExamples extends Placed {
  readonly part: number
  readonly rows: number
  readonly examples: Uint8Array
}

export interface ParsedBatch {
  /** The file's place in the list of files. */
  readonly file: number
  readonly sources: readonly { readonly model: string; readonly layer: string }[]
  readonly explanations: readonly ParsedExplanation[]
  readonly features: readonly ParsedFeature[]
  readonly examples: readonly ParsedExamples[]
  readonly rejects: readonly { readonly line: number; readonly reason: string }[]
  /** Rows of the file that are behind, this batch included: where reading would go on. */
  readonly rows: number
  /** Bytes of the file as it lies on disk that are behind. */
  readonly bytesRead: number
  readonly isLast: boolean
}

/** A batch as it arrives from a thread of our own, which has checked its rows. */
export const batchMessage = z.object({
  type: z.literal('batch'),
  batch: z.custom<ParsedBatch>(value => typeof value === 'object' && value !== null && 'explanations' in value)
})
