/** What the token table shows; it outlives the table, so that coming back from a feature's page finds it as it was. */
import type { Ranking, Sort } from './token-rows.ts'

/** Features shown per token until the person chooses. */
const countAtFirst = 3

class TableChoiceState {
  /** Empty until chosen: then the run's first SAE and first variant are shown. */
  sae = $state('')
  variant = $state('')
  ranking = $state<Ranking>('activation')
  count = $state(countAtFirst)
  hideSpecial = $state(false)
  sort = $state.raw<Sort>({ column: 'position', descending: false })
  /** Where the table was scrolled to. Pixels. */
  scrollOffset = 0

  /** Sorts by a column; the same one again turns the order round. Numbers of features and log-probs start with the largest. */
  sortBy(column: Sort['column']): void {
    const again = this.sort.column === column
    this.sort = { column, descending: again ? !this.sort.descending : column === 'features' }
  }
}

export const tableChoice = new TableChoiceState()
