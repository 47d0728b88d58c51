/** What a pass said of one of its sequences, token by token. */
import type { PassNumbers } from '../inference/evaluation-messages.ts'

/** The rows of a pass that a sequence's losses are read from: which way each was run. */
export interface RowRoles {
  readonly clean: number
  /** By the textbook: at the positions that were asked for. */
  readonly spliced: number
  readonly zeroed: number
  /** As SAELens splices over all tokens, and where it leaves special ones alone; and its ablation, everywhere. */
  readonly splicedAll: number
  readonly splicedExcluding: number
  readonly zeroedAll: number
}

/** One value per token; `target` is [token, width]. Losses are of the next token, in nats; the last token has none. */
export class SequenceNumbers {
  readonly ids: readonly number[]
  readonly width: number
  readonly active: Float32Array
  readonly l1: Float32Array
  readonly squaredError: Float32Array
  readonly dot: Float32Array
  readonly targetSquare: Float32Array
  readonly outputSquare: Float32Array
  readonly target: Float32Array
  readonly #logProbs: Float64Array
  readonly #divergences: Float64Array
  /** Places of a row in the pass, and where this sequence begins among them. */
  readonly #positions: number
  readonly #start: number
  readonly roles: RowRoles

  /** The sequence `ids` in the place `row` of a pass whose sequences are padded to `length`. */
  constructor(ids: readonly number[], numbers: PassNumbers, roles: RowRoles, { row, length }: { row: number; length: number }) {
    const start = row * length
    const own = (values: Float32Array) => values.subarray(start, start + ids.length)
    this.ids = ids
    this.roles = roles
    this.width = numbers.target.length / numbers.active.length
    this.active = own(numbers.active)
    this.l1 = own(numbers.l1)
    this.squaredError = own(numbers.squaredError)
    this.dot = own(numbers.dot)
    this.targetSquare = own(numbers.targetSquare)
    this.outputSquare = own(numbers.outputSquare)
    this.target = numbers.target.subarray(start * this.width, (start + ids.length) * this.width)
    this.#logProbs = numbers.logProbs
    this.#divergences = numbers.divergences
    this.#positions = numbers.active.length
    this.#start = start
  }

  get length(): number {
    return this.ids.length
  }

  /** -log p of the token behind `token`. */
  loss(role: keyof RowRoles, token: number): number {
    return -(this.#logProbs[this.roles[role] * this.#positions + this.#start + token] ?? Number.NaN)
  }

  /** KL(clean || role) of what is predicted at `token`. */
  divergence(role: keyof RowRoles, token: number): number {
    return this.#divergences[this.roles[role] * this.#positions + this.#start + token] ?? Number.NaN
  }
}

/** At index i of a typed array that has it. */
export function at(values: Float32Array | Float64Array, index: number): number {
  return values[index] ?? Number.NaN
}
