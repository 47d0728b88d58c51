/** Readings of every active feature as clients ask for them: computed once, then held until their stream ends. */
import { randomUUID } from 'node:crypto'
import { SpliceError } from '../../contract/errors.ts'
import type { ActiveFeatures, ActiveFeaturesRequest, FeatureReadingEvent, FeatureReadingRequest } from '../../contract/feature-readings.ts'
import type { ReadFeatures } from '../inference/messages.ts'
import { ended } from './held-files.ts'
import { type Progress, streamWork } from './progress.ts'
import { jobOf, type RunServices } from './runs.ts'

export class FeatureReadings {
  readonly #held = new Map<string, ReadFeatures>()
  readonly #services: RunServices

  constructor(services: RunServices) {
    this.#services = services
  }

  /** Reads an SAE's features in every variant of a run, and holds them until the iteration ends. */
  async *read({ run, sae }: FeatureReadingRequest, signal?: AbortSignal): AsyncGenerator<FeatureReadingEvent, void> {
    const id = randomUUID()
    const work = streamWork<Progress, ReadFeatures>(signal, async (abort, report) => {
      const { job } = await jobOf(run, this.#services)
      return this.#services.inference.readFeatures(job, sae, abort, (stage, fraction) => report({ type: 'progress', stage, fraction }))
    })
    try {
      for await (const event of work) {
        if ('type' in event) {
          yield event
          continue
        }
        this.#held.set(id, event)
        const { dSae, perPosition } = event
        const variants = event.variants.map(({ variant, active, features }) => ({
          variant,
          active: [...active],
          held: features.length,
          leftOut: active.reduce((sum, count) => sum + count, 0) - features.length
        }))
        yield { type: 'result', reading: { id, sae, dSae, perPosition, variants } }
        await ended(signal)
      }
    } finally {
      this.#held.delete(id)
    }
  }

  /** The active features of a variant of a reading. Throws `features/not-held`, `features/no-such-variant`. */
  of({ id, variant }: ActiveFeaturesRequest): ActiveFeatures {
    const reading = this.#held.get(id)
    if (reading === undefined) {
      throw new SpliceError('features/not-held', 'the features to fetch are no longer held', { field: 'id', hint: 'Read them again.' })
    }
    const found = reading.variants.find(candidate => candidate.variant === variant)
    if (found === undefined) {
      throw new SpliceError('features/no-such-variant', `this reading has no variant ${variant}`, {
        field: 'variant',
        hint: `Its variants: ${reading.variants.map(each => each.variant).join(', ')}.`
      })
    }
    return {
      starts: new Blob([found.starts]),
      features: new Blob([found.features]),
      activations: new Blob([found.activations])
    }
  }
}
