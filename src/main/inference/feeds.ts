/** What sessions are fed: tensors by the names of graph inputs, and some positions of them at a time. */
import type { Tensor } from 'onnxruntime-node'
import { RowTensor } from './activation.ts'
import { predictionInputs } from './prediction-graph.ts'
import { onnxRuntime } from './sessions.ts'

export type Feeds = ReadonlyMap<string, Tensor>

/** The tensors that a graph's inputs take. */
export function pick(feeds: Feeds, names: readonly string[]): Record<string, Tensor> {
  return Object.fromEntries(
    names.map(name => {
      const tensor = feeds.get(name)
      if (tensor === undefined) throw new Error(`nothing feeds the graph input ${name}`)
      return [name, tensor]
    })
  )
}

/**
 * Feeds of stages that read `final` and `target` alone, so many positions at a time that `most` rows times positions are not
 * exceeded: their logits stay bounded.
 */
export async function* inPositionRanges(feeds: Feeds, most: number): AsyncGenerator<{ start: number; end: number; sliced: Feeds }, void> {
  const { Tensor } = await onnxRuntime()
  const [rows = 1, length = 0] = feeds.get('final')?.dims ?? []
  const step = Math.max(1, Math.floor(most / rows))
  for (let start = 0; start < length; start += step) {
    const end = Math.min(length, start + step)
    const sliced = new Map(feeds)
    for (const name of ['final', 'target']) {
      const whole = feeds.get(name)
      if (whole !== undefined) sliced.set(name, slicePositions(Tensor, whole, start, end))
    }
    const targets = feeds.get(predictionInputs.targets)
    if (targets?.data instanceof BigInt64Array) {
      sliced.set(predictionInputs.targets, new Tensor('int64', targets.data.slice(start, end), [end - start]))
    }
    yield { start, end, sliced }
  }
}

/** Positions `[start, end)` of a float32 tensor [row, position, ...]. */
export function slicePositions(Constructor: typeof Tensor, whole: Tensor, start: number, end: number): Tensor {
  const [rows = 1, positions = 1, ...rest] = whole.dims
  if (start === 0 && end === positions) return whole
  const width = rest.reduce((product, size) => product * size, 1)
  const source = RowTensor.of(whole)
  const sliced = new Float32Array(rows * (end - start) * width)
  for (let row = 0; row < rows; row++) {
    sliced.set(source.row(row).subarray(start * width, end * width), row * (end - start) * width)
  }
  return new Constructor('float32', sliced, [rows, end - start, ...rest])
}
