/** The strips' scales under the theme and settings in force. */
import { settings } from '../state/settings.svelte.ts'
import { theme } from '../state/theme.svelte.ts'
import { type Fill, scaleOf, strongestLogProb } from './scales.ts'

const sequentialStops = ['--sequential-0', '--sequential-1', '--sequential-2', '--sequential-3', '--sequential-4', '--sequential-5']
const divergingStops = ['--diverging-low', '--diverging-low-mid', '--diverging-zero', '--diverging-high-mid', '--diverging-high']

class StripColors {
  #sequential = $derived(scaleOf(sequentialStops.map(stop => theme.color(stop))))
  #diverging = $derived(scaleOf(divergingStops.map(stop => theme.color(stop))))

  /** The fill of a log-prob (nats): by the setting, full colour is a surprising token or an expected one. */
  logProb(nats: number): Fill {
    const surprise = nats / strongestLogProb
    return this.#sequential(settings.values.logProbScale === 'surprise' ? surprise : 1 - surprise)
  }

  /** The fill of a difference (nats) within -bound..bound: orange is worse than clean, blue is better. */
  difference(nats: number, bound: number): Fill {
    return this.#diverging(0.5 + nats / (2 * bound))
  }
}

export const stripColors = new StripColors()
