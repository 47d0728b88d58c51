/** What the machine itself can do at most, measured in the same minutes as what is held against it. */
import os from 'node:os'
import { Worker } from 'node:worker_threads'
import { Tensor } from 'onnxruntime-node'
import { cpu, createSession } from '../src/main/inference/sessions.ts'
import { GraphBuilder } from '../src/main/onnx/graph.ts'

/** Rate of one large product of matrices, [512, 2304] by [9216, 2304] transposed, in ONNX Runtime: 1e9 operations a second, best of several. */
export async function gemmRate(rounds = 5): Promise<number> {
  const [rows, inner, columns] = [512, 2304, 9216]
  const graph = new GraphBuilder()
  const a = graph.input('a', 'float32', [rows, inner])
  const b = graph.input('b', 'float32', [columns, inner])
  graph.output(graph.linear(a, b))
  const session = await createSession(graph.encode(), cpu)
  const random = (size: number) => Float32Array.from({ length: size }, (_, at) => ((at * 2_654_435_761) % 1000) / 1000 - 0.5)
  const feeds = {
    a: new Tensor('float32', random(rows * inner), [rows, inner]),
    b: new Tensor('float32', random(columns * inner), [columns, inner])
  }
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) {
    const started = performance.now()
    await session.run(feeds)
    rates.push((2 * rows * inner * columns) / 1e6 / (performance.now() - started))
  }
  await session.release()
  return Math.max(...rates)
}

const reader = `
  const { parentPort, workerData } = require('node:worker_threads')
  const bytes = Buffer.alloc(workerData.size, 1)
  parentPort.on('message', () => { bytes.indexOf(0); parentPort.postMessage('read') })
  parentPort.postMessage('filled')
`

/** Bytes a second, 1e9, that all cores together read from memory: each looks for a byte that is not there. Best of several. */
export async function readBandwidth(rounds = 7): Promise<number> {
  const size = 768e6
  const workers = Array.from({ length: os.availableParallelism() }, () => new Worker(reader, { eval: true, workerData: { size } }))
  const answers = () => Promise.all(workers.map(worker => new Promise(resolve => worker.once('message', resolve))))
  await answers()
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) {
    const read = answers()
    const started = performance.now()
    for (const worker of workers) worker.postMessage('read')
    await read
    rates.push((workers.length * size) / 1e6 / (performance.now() - started))
  }
  await Promise.all(workers.map(worker => worker.terminate()))
  return Math.max(...rates)
}
