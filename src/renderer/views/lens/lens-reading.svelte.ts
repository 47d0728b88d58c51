/** The logit lens of the run that is shown. */
import type { LensResult } from '../../../contract/logit-lens.ts'
import { AskedReading } from '../../state/asked-reading.svelte.ts'
import { client } from '../../state/connection.svelte.ts'
import type { RunInput } from '../../state/workspace.svelte.ts'

/** Tokens that each cell lists. */
export const listed = 10

/** The run that is read; `positions` is half-open, null for the whole prompt. */
export type LensQuestion = { run: RunInput; positions: [number, number] | null }
type LensAnswer = { type: 'result'; result: LensResult }

class LensReading extends AskedReading<LensQuestion, LensAnswer> {
  /** What was read last. */
  result = $state.raw<LensResult | null>(null)
  /** The run that `result` is of. */
  of = $state.raw<RunInput | null>(null)

  protected isSame(one: LensQuestion, other: LensQuestion): boolean {
    return one.run === other.run && String(one.positions) === String(other.positions)
  }

  protected open({ run, positions }: LensQuestion, signal: AbortSignal) {
    return client.runs.logitLens({ run: { ...run, topK: listed, keep: false }, positions }, { signal })
  }

  protected take({ result }: LensAnswer, { run }: LensQuestion): void {
    this.result = result
    this.of = run
  }
}

export const lensReading = new LensReading()
