/** Which features an attribution ablates: the most active ones of the SAE's activations, or those that are named. */
import type { AttributionRequest } from '../../contract/attribution.ts'
import type { FeatureEdit, Token, Variant } from '../../contract/run.ts'
import type { RowTensor } from './activation.ts'
import { isCovered } from './variants.ts'

/** A feature ablated at one position, or, where `everywhere`, at all; `position` is where its activation stands. */
export interface Candidate {
  readonly index: number
  readonly position: number | null
  readonly activation: number
}

/** What an attribution says of how features are chosen and ablated. */
export type AblationChoice = Pick<AttributionRequest, 'top' | 'scope' | 'features' | 'countSpecial' | 'errorTerm' | 'positions'>

/** What an SAE's activations [1, position, dSae] hold that can be ablated. */
export class Candidates {
  readonly #acts: Float32Array
  readonly #dSae: number
  /** Positions at which activations count. */
  readonly #counted: readonly number[]

  constructor(acts: RowTensor, tokens: readonly Token[], { positions, countSpecial }: AblationChoice) {
    this.#acts = acts.row(0)
    this.#dSae = acts.shape[1] ?? 0
    this.#counted = tokens.flatMap((token, place) =>
      isCovered(positions, token, place) && (countSpecial || !token.special) ? [place] : []
    )
  }

  #at(position: number): Float32Array {
    return this.#acts.subarray(position * this.#dSae, (position + 1) * this.#dSae)
  }

  /** A feature's largest activation that counts. */
  strongest(index: number): Candidate {
    let found: Candidate = { index, position: null, activation: 0 }
    for (const position of this.#counted) {
      const activation = this.#acts[position * this.#dSae + index] ?? 0
      if (activation > found.activation) found = { index, position, activation }
    }
    return found
  }

  /** Every feature that is active at a position that counts, once or once for each of them; strongest first. */
  active(scope: AblationChoice['scope'], features: ReadonlySet<number> | null): Candidate[] {
    const found: Candidate[] = []
    const largest = new Map<number, Candidate>()
    for (const position of this.#counted) {
      for (const [index, activation] of this.#at(position).entries()) {
        if (!(activation > 0) || (features !== null && !features.has(index))) continue
        const candidate = { index, position, activation }
        if (scope === 'each') found.push(candidate)
        else if (activation > (largest.get(index)?.activation ?? 0)) largest.set(index, candidate)
      }
    }
    found.push(...largest.values())
    return found.sort((a, b) => b.activation - a.activation || a.index - b.index || (a.position ?? 0) - (b.position ?? 0))
  }
}

/** The candidates of a choice, and how many there were to choose from. Named features that are active nowhere are among them. */
export function chooseCandidates(
  candidates: Candidates,
  { scope, top, features }: AblationChoice
): { chosen: Candidate[]; active: number } {
  const named = features === undefined ? null : new Set(features)
  const active = candidates.active(scope, named)
  if (named === null) return { chosen: active.slice(0, top), active: active.length }
  const silent = [...named].filter(index => !active.some(candidate => candidate.index === index))
  return { chosen: [...active, ...silent.map(index => ({ index, position: null, activation: 0 }))], active: active.length }
}

/** A variant that splices an SAE and ablates features, everywhere or each at its position. */
export function ablatedVariant(sae: string, members: readonly Pick<Candidate, 'index' | 'position'>[], choice: AblationChoice): Variant {
  const edits = members.map(
    ({ index, position }): FeatureEdit => ({
      sae,
      feature: index,
      kind: 'set',
      value: 0,
      positions: choice.scope === 'all' || position === null ? 'all' : [[position, position + 1]]
    })
  )
  return { name: 'ablated', splices: [{ sae, errorTerm: choice.errorTerm, positions: choice.positions }], edits }
}
