/** What a pass over several sequences side by side is fed, whatever is wanted of it. */
import type { Tensor } from 'onnxruntime-node'
import type { OpenModel } from './models.ts'
import { onnxRuntime } from './sessions.ts'

/** Ids [sequence, place] of sequences that are all `length` long, and the inputs that depend on positions, for all of them. */
export async function sequenceFeeds(ids: Int32Array, length: number, model: OpenModel): Promise<Map<string, Tensor>> {
  const { Tensor } = await onnxRuntime()
  const [positions, sequences] = [ids.length, ids.length / length]
  const places = Float32Array.from({ length }, (_, place) => place)
  const feeds = new Map<string, Tensor>([
    ['ids', new Tensor('int64', BigInt64Array.from(ids, BigInt), [1, positions])],
    ['sequencePositions', new Tensor('float32', places, [length])]
  ])
  for (const [name, { data, shape }] of model.transformer.positionInputs(0, length)) {
    const repeated = new Float32Array(data.length * sequences)
    for (let sequence = 0; sequence < sequences; sequence++) repeated.set(data, sequence * data.length)
    feeds.set(name, new Tensor('float32', repeated, [positions, ...shape.slice(1)]))
  }
  return feeds
}
