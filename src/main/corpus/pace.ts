/** How far work on a text is and how fast: tokens of all, tokens a second, time left. */
import type { EvaluationProgress } from '../../contract/evaluation.ts'

/** Over how long the speed is measured, in ms, and over how many passes at least. */
const speedWindow = 30_000
const fewestPasses = 3

export class Pace {
  readonly #corpusBytes: number
  /** Tokens that are wanted at most. */
  readonly #most: number
  /** When passes ended and how many tokens were done then. */
  readonly #samples: { at: number; tokens: number }[]
  #tokensRead: number
  #bytesRead = 0
  #isRead = false
  #tokens: number

  /** `tokens` are done already; no more than `most` are wanted. */
  constructor(corpusBytes: number, tokens: number, most = Number.POSITIVE_INFINITY) {
    this.#corpusBytes = corpusBytes
    this.#most = most
    this.#tokens = tokens
    this.#tokensRead = tokens
    this.#samples = [{ at: performance.now(), tokens }]
  }

  /** A sequence of so many tokens was read, up to byte `readTo`. */
  read(tokens: number, readTo: number): void {
    this.#tokensRead += tokens
    this.#bytesRead = readTo
  }

  /** The corpus is read to its end. */
  endReading(): void {
    this.#isRead = true
  }

  /** So many tokens are done in all. */
  done(tokens: number): void {
    const now = performance.now()
    this.#tokens = tokens
    this.#samples.push({ at: now, tokens })
    while (this.#samples.length > fewestPasses && (this.#samples[0]?.at ?? now) < now - speedWindow) this.#samples.shift()
  }

  #total(): number | null {
    if (this.#isRead) return this.#tokensRead
    if (this.#bytesRead === 0) return null
    return Math.min(this.#most, Math.max(this.#tokensRead, Math.round((this.#tokensRead * this.#corpusBytes) / this.#bytesRead)))
  }

  #speed(): number | null {
    const [first] = this.#samples
    const last = this.#samples.at(-1)
    if (first === undefined || last === undefined || last.tokens === first.tokens) return null
    return ((last.tokens - first.tokens) / (last.at - first.at)) * 1000
  }

  progress(stage: EvaluationProgress['stage']): EvaluationProgress {
    const [total, speed] = [this.#total(), this.#speed()]
    return {
      type: 'progress',
      stage,
      tokens: this.#tokens,
      totalTokens: total,
      totalIsExact: this.#isRead,
      tokensPerSecond: speed,
      secondsLeft: total === null || speed === null ? null : (total - this.#tokens) / speed,
      fraction: total === null || total === 0 ? 0 : Math.min(1, this.#tokens / total)
    }
  }
}
