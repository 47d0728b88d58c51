/**
 * The graph side of a key-value cache: attention in a graph that continues sequences reads the keys and values of earlier
 * positions from graph inputs and gives its own new ones as outputs. Positions come first in both, [position, row, keyValueHeads,
 * dHead], so that a cache grows by appending.
 */
import type { GraphBuilder, Value } from '../onnx/graph.ts'
import type { EarlierPositions } from '../transformer/hooked-graph.ts'

/** One attention layer's part of a cache: graph inputs of what is earlier, graph outputs of what is new. */
export interface CacheSlot {
  readonly keys: { readonly input: string; readonly output: string }
  readonly values: { readonly input: string; readonly output: string }
  /** keyValueHeads * dHead. */
  readonly width: number
  readonly size: readonly [number, number]
  /** Whether some variant has parted from the others before this attention, so that a prompt gives a row for each. */
  readonly isParted: boolean
}

/** float32 [key]: positions of all keys, earlier ones first. */
export const keyPositionsInput = 'key_positions'

export class CachedPositions implements EarlierPositions {
  readonly slots: CacheSlot[] = []
  readonly keyPositions: Value
  readonly #graph: GraphBuilder
  readonly #isParted: () => boolean

  constructor(graph: GraphBuilder, isParted: () => boolean) {
    this.#graph = graph
    this.#isParted = isParted
    this.keyPositions = graph.input(keyPositionsInput, 'float32', ['key'])
  }

  extend(attention: string, keys: Value, values: Value, size: readonly [number, number]): { keys: Value; values: Value } {
    const isParted = this.#isParted()
    const part = (name: string, value: Value) => {
      const graph = this.#graph
      const input = `${attention}.earlier_${name}`
      const fresh = graph.transpose(value, [1, 0, 2, 3])
      const output = graph.output(fresh)
      const earlier = graph.input(input, 'float32', ['earlier', isParted ? 'variant' : 'row', ...size])
      return { slot: { input, output }, whole: graph.transpose(graph.concatenate([earlier, fresh], 0), [1, 0, 2, 3]) }
    }
    const [keyPart, valuePart] = [part('keys', keys), part('values', values)]
    this.slots.push({ keys: keyPart.slot, values: valuePart.slot, width: size[0] * size[1], size, isParted })
    return { keys: keyPart.whole, values: valuePart.whole }
  }
}
