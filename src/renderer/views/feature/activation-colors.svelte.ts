/** The scale of activations under the theme in force: none at zero, strong at the largest. */
import { type Fill, scaleOf } from '../../charts/scales.ts'
import { theme } from '../../state/theme.svelte.ts'

const stops = ['--sequential-0', '--sequential-1', '--sequential-2', '--sequential-3', '--sequential-4', '--sequential-5']
/** Where the scale begins for anything above zero, so that a weak activation can be told from none. */
const weakest = 0.12

class ActivationColors {
  #scale = $derived(scaleOf(stops.map(stop => theme.color(stop))))

  /** The fill of an activation relative to the largest one; null for zero, less and unknown. */
  fill(value: number | null | undefined, largest: number): Fill | null {
    if (value === null || value === undefined || !Number.isFinite(value) || value <= 0 || largest <= 0) return null
    return this.#scale(weakest + (1 - weakest) * (value / largest))
  }
}

export const activationColors = new ActivationColors()
