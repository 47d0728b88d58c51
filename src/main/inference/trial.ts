/** A provider is tried: a small graph with whole numbers, whose result is known exactly, in float32 and in float16. */
import { SpliceError } from '../../contract/errors.ts'
import type { Provider } from '../../contract/run.ts'
import { GraphBuilder } from '../onnx/graph.ts'
import type { ElementType } from '../onnx/model-proto.ts'
import { createSession, onnxRuntime } from './sessions.ts'

const width = 8

/** relu(x @ x.T - 40) of x[i][j] = (i + 2 j) mod 5, whole numbers that float16 has exactly. */
function expected(): number[] {
  const x = (row: number, column: number) => (row + 2 * column) % 5
  return Array.from({ length: width * width }, (_, place) => {
    const [row, column] = [Math.floor(place / width), place % width]
    const dot = Array.from({ length: width }, (__, inner) => x(row, inner) * x(column, inner)).reduce((sum, term) => sum + term, 0)
    return Math.max(0, dot - 40)
  })
}

async function multiply(provider: Exclude<Provider, 'auto'>, type: ElementType): Promise<void> {
  const { Tensor } = await onnxRuntime()
  const graph = new GraphBuilder()
  const input = graph.input('x', 'float32', ['row', width])
  const narrow = graph.cast(input, type)
  const product = graph.cast(graph.linear(narrow, narrow), 'float32')
  const output = graph.output(graph.relu(graph.subtract(product, graph.scalar(40))))
  const session = await createSession(graph.encode(), { provider, precision: 'fp32' }, { isTrial: true })
  try {
    const data = Float32Array.from({ length: width * width }, (_, place) => (Math.floor(place / width) + 2 * (place % width)) % 5)
    const given = (await session.run({ x: new Tensor('float32', data, [width, width]) }))[output]?.data
    const wrong = expected().findIndex((value, place) => given?.[place] !== value)
    if (wrong !== -1)
      throw new SpliceError('inference/session', `${provider} computes wrongly: ${given?.[wrong]} for ${expected()[wrong]}`, {
        mistake: false
      })
  } finally {
    await session.release()
  }
}

/** What a provider can do on this machine. */
export interface Trial {
  readonly float16: boolean
}

/** Tries a provider. Throws what it throws, or `inference/session` where the runtime has none or its numbers are wrong. */
export async function tryProvider(provider: Exclude<Provider, 'auto'>): Promise<Trial> {
  await multiply(provider, 'float32')
  if (provider === 'cpu') return { float16: false }
  try {
    await multiply(provider, 'float16')
    return { float16: true }
  } catch {
    // A device without float16 says so here and nowhere else.
    return { float16: false }
  }
}

/** Widths of the square matrix by which 64 rows are multiplied; a larger one where the one before took less than 20 ms. */
const widths = [256, 1024, 4096]
const quick = 20
/**
 * How often they are multiplied by it, in a short run and in a long one: what they differ by is without what goes to a device and comes back.
 * Where the short one takes longer than `slow`, in ms, that is little beside it, and it stands for itself.
 */
const few = 8
const many = 40
const slow = 60
const rows = 64

/** How many billions of operations a second a provider does in products of float32 matrices that it holds. Throws what it throws. */
export async function measureRate(provider: Exclude<Provider, 'auto'>): Promise<number> {
  let rate = 0
  for (const wide of widths) {
    const short = await timeProducts(provider, wide, few)
    const rateOf = (times: number, milliseconds: number) => (2 * rows * wide * wide * times) / milliseconds / 1e6
    if (short > slow) return rateOf(few, short)
    const more = (await timeProducts(provider, wide, many)) - short
    // Where they cannot be told apart, products are too quick at this width.
    if (more > 0) rate = rateOf(many - few, more)
    if (short > quick) break
  }
  return rate
}

/** Milliseconds of a run. */
async function timeProducts(provider: Exclude<Provider, 'auto'>, wide: number, times: number): Promise<number> {
  const { Tensor } = await onnxRuntime()
  const graph = new GraphBuilder()
  let value = graph.input('x', 'float32', [rows, wide])
  const matrix = graph.input('matrix', 'float32', [wide, wide])
  for (let time = 0; time < times; time++) value = graph.matmul(value, matrix)
  const output = graph.output(graph.sum(value, [1]))
  const session = await createSession(graph.encode(), { provider, precision: 'fp32' }, { isTrial: true })
  try {
    const feeds = {
      x: new Tensor('float32', new Float32Array(rows * wide).fill(1), [rows, wide]),
      matrix: new Tensor('float32', new Float32Array(wide * wide).fill(1 / wide), [wide, wide])
    }
    // The first run compiles.
    await session.run(feeds, [output])
    const started = performance.now()
    await session.run(feeds, [output])
    return performance.now() - started
  } finally {
    await session.release()
  }
}
