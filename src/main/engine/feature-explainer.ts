/** Puts to features that fired what the mirror knows of them, asked for once for each. */
import type { ActiveFeature } from '../../contract/run.ts'
import type { Mirror } from '../explanations/mirror.ts'

/** A feature that fired, before explanations are put to it. */
type Fired = Pick<ActiveFeature, 'index' | 'activation'>

export class FeatureExplainer {
  readonly #mirror: Pick<Mirror, 'explanationsOf'>
  readonly #known = new Map<string, Map<number, Pick<ActiveFeature, 'maxActivation' | 'explanations'>>>()

  constructor(mirror: Pick<Mirror, 'explanationsOf'>) {
    this.#mirror = mirror
  }

  /** Asks the mirror for what is not known yet of a source's features; nothing without a source. */
  async learn(source: string | null, indices: Iterable<number>): Promise<void> {
    if (source === null) return
    const known = this.#known.get(source) ?? new Map()
    this.#known.set(source, known)
    const unknown = [...new Set(indices)].filter(index => !known.has(index))
    if (unknown.length === 0) return
    const found = await this.#mirror.explanationsOf(source, unknown)
    for (const index of unknown) {
      const { maxActivation = null, explanations = [] } = found.get(index) ?? {}
      known.set(index, { maxActivation, explanations })
    }
  }

  /** A feature with its own explanations and known maximum; none where its source is not known or says nothing of it. */
  explained(source: string | null, { index, activation }: Fired): ActiveFeature {
    const known = source === null ? undefined : this.#known.get(source)?.get(index)
    return { index, activation, maxActivation: known?.maxActivation ?? null, explanations: known?.explanations ?? [] }
  }
}
