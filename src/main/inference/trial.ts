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
