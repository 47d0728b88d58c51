/** Keys and values of the positions that sequences have behind them, [position, row, keyValueHeads, dHead] for each attention. */
import type { Tensor } from 'onnxruntime-node'
import type { CacheSlot } from './earlier-positions.ts'
import { onnxRuntime } from './sessions.ts'

/** One tensor of the cache: `length` positions of `rows` times `width` numbers; `data` has room for more. */
interface Part {
  readonly width: number
  data: Float32Array
  rows: number
  length: number
}

/** Positions that a part has room for at first. */
const firstCapacity = 64

export class KeyValueCache {
  readonly #parts = new Map<string, Part>()
  readonly #variants: number

  /** `variants`: how many rows a prompt has where they have parted. */
  constructor(variants: number) {
    this.#variants = variants
  }

  #part(input: string, slot: CacheSlot): Part {
    let part = this.#parts.get(input)
    if (part === undefined) {
      const rows = slot.isParted ? this.#variants : 1
      part = { width: slot.width, data: new Float32Array(firstCapacity * rows * slot.width), rows, length: 0 }
      this.#parts.set(input, part)
    }
    return part
  }

  /** What the graph inputs of a slot hold, without a copy. */
  async feeds(slot: CacheSlot): Promise<[string, Tensor][]> {
    const { Tensor } = await onnxRuntime()
    return [slot.keys, slot.values].map(({ input }) => {
      const { data, rows, length } = this.#part(input, slot)
      return [input, new Tensor('float32', data.subarray(0, length * rows * slot.width), [length, rows, ...slot.size])]
    })
  }

  /** Takes in a slot's new keys and values. */
  append(slot: CacheSlot, outputs: Readonly<Record<string, Tensor>>): void {
    for (const { input, output } of [slot.keys, slot.values]) {
      const fresh = outputs[output]?.data
      if (!(fresh instanceof Float32Array)) throw new Error(`the session gave no ${output}`)
      const part = this.#part(input, slot)
      const perPosition = part.rows * slot.width
      const [used, needed] = [part.length * perPosition, part.length * perPosition + fresh.length]
      if (needed > part.data.length) {
        const grown = new Float32Array(Math.max(needed, 2 * part.data.length))
        grown.set(part.data.subarray(0, used))
        part.data = grown
      }
      part.data.set(fresh, used)
      part.length += fresh.length / perPosition
    }
  }

  /** Makes row i what row `rows[i]` was; where variants have not parted, their one row serves for all. */
  select(rows: readonly number[]): void {
    for (const part of this.#parts.values()) {
      const { width, length } = part
      const data = new Float32Array((length + firstCapacity) * rows.length * width)
      for (let position = 0; position < length; position++) {
        for (const [row, from] of rows.entries()) {
          const start = (position * part.rows + (part.rows === 1 ? 0 : from)) * width
          data.set(part.data.subarray(start, start + width), (position * rows.length + row) * width)
        }
      }
      part.data = data
      part.rows = rows.length
    }
  }
}
