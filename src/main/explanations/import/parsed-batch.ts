/** What a parser's thread hands to the writer: rows that are checked and ready to be written, and how far its file is read. */
import { z } from 'zod'

/**
 * Explanations, column by column: row `i` is entry `i` of each. A list of as many objects would take longer to cross threads than
 * it took to parse. Names are places in `names`, counted from 1; 0 is none.
 */
export interface ExplanationColumns {
  readonly length: number
  /** Names of explainers, types and authors. */
  readonly names: readonly string[]
  /** Each row's source as a place in `sources` of its batch. */
  readonly source: Uint16Array
  readonly feature: Float64Array
  readonly explainer: Uint16Array
  readonly type: Uint16Array
  readonly author: Uint16Array
  readonly description: readonly string[]
  readonly id: readonly (string | null)[]
  /** What the text index is given of each description (search/index-terms.ts), separated by spaces. */
  readonly terms: readonly string[]
  /** Embeddings as float32, where they are read at all; null for rows without one. */
  readonly embedding: readonly (Uint8Array | null)[] | null
}

/** `details` and `examples` are deflated JSON, see rows.ts. */
export interface ParsedFeature {
  readonly source: number
  readonly feature: number
  readonly maxActivation: number | null
  readonly density: number | null
  readonly details: Uint8Array
  readonly examples: Uint8Array | null
}

/** Consecutive activations of one feature; `part` tells them from others of it, and is the same whenever they are read. */
export interface ParsedExamples {
  readonly source: number
  readonly feature: number
  readonly part: number
  readonly rows: number
  readonly examples: Uint8Array
}

export interface ParsedBatch {
  readonly sources: readonly { readonly model: string; readonly layer: string }[]
  /** Runs of the texts that this parser meets for the first time. */
  readonly runs: readonly string[]
  readonly explanations: ExplanationColumns
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
