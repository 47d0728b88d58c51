/** What an evaluation has summed up to a window of its corpus: all that is needed to go on from there. */
import { z } from 'zod'
import { beginning, type Cursor } from '../corpus/sequences.ts'
import { SaelensSums, saelensState } from './saelens-sums.ts'
import { double, TextbookSums, textbookState } from './textbook-sums.ts'

const cursor = z.object({ offset: z.int(), line: z.int(), piece: z.int(), token: z.int() })

export const evaluationState = z.object({
  /** Where the next window begins. */
  cursor,
  sequences: z.int(),
  idsLeftOut: z.int(),
  textbook: textbookState,
  all: saelensState,
  excluding: saelensState,
  /** Tokens at which each feature fired, [reading, dSae]. */
  featureCounts: z.custom<Float64Array>(value => value instanceof Float64Array),
  /** Where it was computed, as of the last pass; null before the first. */
  provider: z.object({ name: z.string(), reason: z.string() }).nullable(),
  warnings: z.array(z.string()),
  seconds: double,
  /** Whether the whole corpus is in the sums. */
  isWhole: z.boolean()
})
export type EvaluationState = z.infer<typeof evaluationState>

/** The sums as they run; `state` is what is kept of them. */
export class EvaluationSums {
  readonly textbook: TextbookSums
  readonly all: SaelensSums
  readonly excluding: SaelensSums
  readonly featureCounts: Float64Array
  cursor: Cursor
  sequences: number
  idsLeftOut: number
  provider: EvaluationState['provider']
  readonly warnings: Set<string>
  seconds: number
  isWhole: boolean

  /** Sums for an SAE of `dSae` features whose target has `width`. */
  constructor({ width, dSae }: { width: number; dSae: number }, state: EvaluationState | null) {
    this.textbook = new TextbookSums(width, state?.textbook)
    this.all = new SaelensSums('splicedAll', state?.all)
    this.excluding = new SaelensSums('splicedExcluding', state?.excluding)
    this.featureCounts = state?.featureCounts ?? new Float64Array(2 * dSae)
    this.cursor = state?.cursor ?? beginning
    this.sequences = state?.sequences ?? 0
    this.idsLeftOut = state?.idsLeftOut ?? 0
    this.provider = state?.provider ?? null
    this.warnings = new Set(state?.warnings)
    this.seconds = state?.seconds ?? 0
    this.isWhole = state?.isWhole ?? false
  }

  get state(): EvaluationState {
    const { cursor: at, sequences, idsLeftOut, featureCounts, provider, seconds, isWhole } = this
    return {
      cursor: at,
      sequences,
      idsLeftOut,
      textbook: this.textbook.state,
      all: this.all.state,
      excluding: this.excluding.state,
      featureCounts,
      provider,
      warnings: [...this.warnings],
      seconds,
      isWhole
    }
  }
}
