/** The order of variants that a person chose; it outlives runs, and variants that it does not know stand at the end. */
import { inOrder, movedTo } from './variant-places.ts'

class VariantOrder {
  wanted = $state.raw<readonly string[]>([])

  /** Puts a variant at another place among those shown. */
  move(names: readonly string[], name: string, place: number): void {
    this.wanted = movedTo(inOrder(names, this.wanted), name, place)
  }

  /** A variant that is called otherwise now keeps its place. */
  rename(before: string, after: string): void {
    if (before !== after && this.wanted.includes(before)) this.wanted = this.wanted.map(name => (name === before ? after : name))
  }
}

export const variantOrder = new VariantOrder()
