/** The order of variants that a person chose; it outlives runs, and variants that it does not know stand at the end. */
import { inOrder, movedTo } from './variant-places.ts'

class VariantOrder {
  wanted = $state.raw<readonly string[]>([])

  /** Puts a variant at another place among those shown. */
  move(names: readonly string[], name: string, place: number): void {
    this.wanted = movedTo(inOrder(names, this.wanted), name, place)
  }
}

export const variantOrder = new VariantOrder()
