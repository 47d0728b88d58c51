/** The peers' numbers in fixtures/golden, read by a reader of its own, so that a fault of ours cannot hide in both sides. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { root } from './command-line.ts'

export const golden = join(root, 'fixtures/golden')

/** A float32 tensor in row-major order. */
export interface Tensor {
  shape: number[]
  values: Float32Array
}

const header = z.record(z.string(), z.unknown())
const entry = z.object({ dtype: z.literal('F32'), shape: z.array(z.int()), data_offsets: z.tuple([z.int(), z.int()]) })

/** All tensors of a safetensors file of float32. */
export function readTensors(file: string): Map<string, Tensor> {
  const bytes = readFileSync(file)
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const tensors = new Map<string, Tensor>()
  for (const [name, value] of Object.entries(header.parse(JSON.parse(bytes.toString('utf8', 8, start))))) {
    if (name === '__metadata__') continue
    const { shape, data_offsets } = entry.parse(value)
    const slice = bytes.subarray(start + data_offsets[0], start + data_offsets[1])
    // Copied, since a float array has to start at a multiple of four.
    tensors.set(name, { shape, values: new Float32Array(new Uint8Array(slice).buffer) })
  }
  return tensors
}

/** A tensor that has to be there. */
export function tensorOf(tensors: Map<string, Tensor>, name: string): Tensor {
  const tensor = tensors.get(name)
  if (tensor === undefined) throw new Error(`no tensor ${name}`)
  return tensor
}

/** The ids of a golden prompt. */
export function promptIds(model: string, prompt: string): number[] {
  const file = join(golden, 'runs', model, `${prompt}.json`)
  return z.object({ ids: z.array(z.int()) }).parse(JSON.parse(readFileSync(file, 'utf8'))).ids
}

/** log p(token i | those before it) from `output.log_probs` [1, position, vocabulary]; null for the first token. */
export function tokenLogProbs(logProbs: Tensor, ids: readonly number[]): (number | null)[] {
  const vocabulary = logProbs.shape[2] ?? 0
  return ids.map((id, at) => (at === 0 ? null : (logProbs.values[(at - 1) * vocabulary + id] ?? Number.NaN)))
}

/** How many tokens are likelier than token i, given those before it; null for the first token. */
export function tokenRanks(logProbs: Tensor, ids: readonly number[]): (number | null)[] {
  const vocabulary = logProbs.shape[2] ?? 0
  return tokenLogProbs(logProbs, ids).map((own, at) => {
    if (own === null) return null
    return logProbs.values.subarray((at - 1) * vocabulary, at * vocabulary).filter(other => other > own).length
  })
}

/** The largest |a - b|; infinite where the two do not have the same length or a null at the same places. */
export function largestDifference(ours: readonly unknown[] | Float32Array, theirs: readonly (number | null)[] | Float32Array): number {
  if (ours.length !== theirs.length) return Number.POSITIVE_INFINITY
  let largest = 0
  for (const [at, b] of theirs.entries()) {
    const a = ours[at]
    if (a === b) continue
    if (typeof a !== 'number' || b === null || Number.isNaN(a - b)) return Number.POSITIVE_INFINITY
    largest = Math.max(largest, Math.abs(a - b))
  }
  return largest
}
