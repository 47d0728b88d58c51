/** An activation as an SAE sees it: heads side by side, or one head alone; and an SAE's output put back in its place. */
import type { GraphBuilder, Value } from '../onnx/graph.ts'
import type { HookShape } from '../transformer/hooked-graph.ts'

export class HookView {
  readonly #graph: GraphBuilder
  readonly #heads: readonly number[]
  readonly #width: number
  readonly #head: number | null
  /** The shape of what an SAE gives back here, after the batch dimension. */
  readonly shape: HookShape

  /** `shape` is the hook point's, `width` its features per position, `head` the one head that is meant, or null for all of it. */
  constructor(graph: GraphBuilder, shape: HookShape, width: number, head: number | null) {
    this.#graph = graph
    this.#heads = shape.slice(1).filter(size => typeof size === 'number')
    this.#width = width
    this.#head = head
    this.shape = head === null ? shape : ['position', this.#heads[1] ?? 0]
  }

  /** [row, position, heads, dHead] -> [row, position, width], or [row, position, dHead] of the one head. */
  take(whole: Value): Value {
    const [heads, dHead = 0] = this.#heads
    if (this.#head !== null) return this.#graph.reshape(this.#graph.gather(whole, this.#graph.integers([this.#head]), 2), [0, 0, dHead])
    return heads === undefined || this.#heads.length === 1 ? whole : this.#graph.reshape(whole, [0, 0, this.#width])
  }

  /** What an SAE gave, in `shape`. */
  shaped(flat: Value): Value {
    return this.#head === null && this.#heads.length > 1 ? this.#graph.reshape(flat, [0, 0, ...this.#heads]) : flat
  }

  /** What flows on: an SAE's output in its place, the other heads from `flowing`, which may have fewer rows. */
  put(flat: Value, flowing: Value): Value {
    if (this.#head === null) return this.shaped(flat)
    const graph = this.#graph
    const [heads = 0] = this.#heads
    const isOurs = graph.equal(graph.reshape(graph.range(0, heads), [1, 1, heads, 1]), graph.integers([this.#head]))
    return graph.where(isOurs, graph.unsqueeze(flat, [2]), flowing)
  }
}
