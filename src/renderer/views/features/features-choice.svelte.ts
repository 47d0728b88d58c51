/** What the Features view is asked to show; it outlives the view, and the address has the feature. */
import { navigation } from '../../state/navigation.svelte.ts'
import type { Measure } from './ranking.ts'

/** Browsers refuse addresses that change too often, as under a held arrow key. */
const restMilliseconds = 200

class FeaturesChoice {
  #resting: ReturnType<typeof setTimeout> | undefined
  sae = $state('')
  variant = $state('clean')
  measure = $state<Measure>('max')
  /** The tokens chosen, as `parseRanges` reads them; empty for all. */
  tokens = $state('')
  withSpecial = $state(false)
  /** Features that are active on more than this share of tokens are left out; null leaves none out. */
  mostDensity = $state<number | null>(null)
  /** How many features the heat map shows. */
  shown = $state(20)
  asTable = $state(false)
  /** The feature that is followed, or null. */
  feature = $state<number | null>(null)

  /** Follows a feature, or none. */
  follow(feature: number | null): void {
    if (feature === this.feature) return
    this.feature = feature
    clearTimeout(this.#resting)
    this.#resting = setTimeout(() => {
      if (navigation.route.view === 'features') navigation.setQuery({ feature: this.feature ?? undefined })
    }, restMilliseconds)
  }
}

export const choice = new FeaturesChoice()
