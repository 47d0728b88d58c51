/** Activations that were computed and may be looked at again, the least recently used ones given up first. */
import type { Activation, Axis } from '../../contract/hooks.ts'

/** One variant's values of a hook point, and those of the variant it is compared with, where that has it. */
export interface KeptValues extends Readonly<Activation> {
  /** How many tokens the prompt has. */
  readonly positions: number
  /** Without the batch dimension. */
  readonly sizes: readonly number[]
  readonly axes: readonly Axis[]
  readonly values: Float32Array
  readonly other: Float32Array | null
}

function bytesOf({ values, other }: KeptValues): number {
  return values.byteLength + (other?.byteLength ?? 0)
}

export class KeptActivations {
  readonly #kept = new Map<string, KeptValues>()
  readonly #mostBytes: number
  #bytes = 0

  /** What is larger than `mostBytes` by itself is not kept at all. */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get(key: string): KeptValues | null {
    const found = this.#kept.get(key)
    if (found === undefined) return null
    this.#kept.delete(key)
    this.#kept.set(key, found)
    return found
  }

  put(key: string, values: KeptValues): void {
    this.#drop(key)
    if (bytesOf(values) > this.#mostBytes) return
    this.#kept.set(key, values)
    this.#bytes += bytesOf(values)
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#mostBytes) return
      this.#drop(oldest)
    }
  }

  #drop(key: string): void {
    const found = this.#kept.get(key)
    if (found === undefined) return
    this.#kept.delete(key)
    this.#bytes -= bytesOf(found)
  }
}
