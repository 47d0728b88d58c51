/**
 * What bench/forward.ts measures, in a process of its own: opening, runs, variants and continuations of a checkpoint in the inference
 * process's own code, on the CPU or a device. Prints one line of JSON.
 *   node bench/forward-measures.ts MODEL SAE SHAPE ROUNDS TOKENS [PROVIDER] [PRECISION]
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { InferenceSession } from 'onnxruntime-node'
import { generationRequest } from '../src/contract/generation.ts'
import { precision, provider, runRequest } from '../src/contract/run.ts'
import { CompiledPlans } from '../src/main/inference/compiled.ts'
import { generate } from '../src/main/inference/generate.ts'
import { OpenModels } from '../src/main/inference/models.ts'
import { defaultBudget } from '../src/main/inference/plan.ts'
import { type Pause, runJob } from '../src/main/inference/run.ts'
import { promptIds, shapeNamed } from './checkpoints.ts'

/** Milliseconds, megabytes of RssAnon; a list has one entry per round. */
export interface ForwardMeasures {
  readonly open: number
  readonly anonymousOpen: number
  readonly anonymousRun: number
  readonly anonymousEnd: number
  /** The first run, with what it opens and compiles. */
  readonly firstRun: number
  readonly loss: number
  /** ln p of the prompt's tokens but the first, clean and spliced. */
  readonly logProbs: readonly number[]
  readonly splicedLogProbs: readonly number[]
  /** Megabytes of NVIDIA's devices in use after the last round; null without nvidia-smi. */
  readonly deviceMegabytes: number | null
  readonly clean: readonly number[]
  /** Of the clean runs: outside of ONNX Runtime, from request to result. */
  readonly outside: readonly number[]
  readonly spliced: readonly number[]
  readonly five: readonly number[]
  /** A token of a continuation. */
  readonly decode: readonly number[]
  /** A token of a continuation each, clean and spliced. */
  readonly decodeSpliced: readonly number[]
}

const [modelPath = '', saePath = '', shapeName = '', rounds = '5', tokens = '53', providerName = 'cpu', precisionName = 'fp32'] =
  process.argv.slice(2)
const shape = shapeNamed(shapeName)
const ids = promptIds(shape, Number(tokens))
/** Tokens of a continuation; the first comes of the prompt. */
const newTokens = 17

function anonymousMegabytes(): number {
  return Number(/RssAnon:\s+(\d+) kB/.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
}

let inRuntime = 0
/** The class of all sessions; the package declares its factory alone. */
const sessions: { prototype: Pick<InferenceSession, 'run'> } = Object(InferenceSession)
const { run: plainRun } = sessions.prototype
sessions.prototype.run = async function (this: InferenceSession, ...given: Parameters<typeof plainRun>) {
  const started = performance.now()
  try {
    return await plainRun.apply(this, given)
  } finally {
    inRuntime += performance.now() - started
  }
} as typeof plainRun

const state = { models: new OpenModels(), plans: new CompiledPlans(), budget: defaultBudget }
const splice = { sae: 's', errorTerm: false }
const clean = { name: 'clean', splices: [] }
const spliced = { name: 'spliced', splices: [splice] }
const five = [
  clean,
  spliced,
  { name: 'with its error term', splices: [{ ...splice, errorTerm: true }] },
  { name: 'but for special tokens', splices: [{ ...splice, positions: 'no-special' }] },
  { name: 'without a feature', splices: [splice], edits: [{ sae: 's', feature: 1, kind: 'set', value: 0 }] }
]
const target = { provider: provider.parse(providerName), precision: precision.parse(precisionName) }
const common = { ...target, cacheFolder: '/nonexistent', processing: [], save: undefined }

async function run(variants: readonly object[], saes: readonly { name: string; path: string }[], pause: Pause = async () => undefined) {
  const request = runRequest.parse({ model: modelPath, saes, prompt: { ids }, variants })
  const started = performance.now()
  inRuntime = 0
  const result = await runJob({ ...request, ...common, saes: [...saes] }, state, pause)
  if (result.provider !== target.provider) throw new Error(`${result.provider} ran, not ${target.provider}: ${result.warnings.join('; ')}`)
  return { result, whole: performance.now() - started }
}

function logProbsOf(result: Awaited<ReturnType<typeof run>>['result'], variant: number): number[] {
  return result.variants[variant]?.logProbs.slice(1).map(Number) ?? []
}

/** What NVIDIA's driver says is in use on all of its devices. */
function deviceMegabytes(): number | null {
  const { status, stdout } = spawnSync('nvidia-smi', ['--query-gpu=memory.used', '--format=csv,noheader,nounits'], { encoding: 'utf8' })
  return status === 0
    ? stdout
        .trim()
        .split('\n')
        .reduce((sum, each) => sum + Number(each), 0) * 1.048576
    : null
}

async function milliseconds(variants: readonly object[]): Promise<number> {
  const { whole } = await run(variants, variants.length === 1 ? [] : saes)
  return whole
}

async function tokenMilliseconds(variants: readonly object[]): Promise<number> {
  const used = variants.length === 1 ? [] : saes
  const asked = { model: modelPath, saes: used, prompt: { ids }, variants, maxNewTokens: newTokens, stopAtEos: false, topFeatures: 0 }
  const request = generationRequest.parse({ ...asked, sampling: { temperature: 0 } })
  const job = { ...request, ...common, saes: used, seed: 1 }
  const result = await generate(
    job,
    state,
    async () => undefined,
    () => undefined
  )
  return result.milliseconds.generate / (newTokens - 1)
}

const saes = [{ name: 's', path: saePath }]
let [open, anonymousOpen] = [0, 0]
const started = performance.now()
const first = await run([clean], [], async label => {
  if (open > 0 || label.startsWith('opening')) return
  open = performance.now() - started
  anonymousOpen = anonymousMegabytes()
})
const anonymousRun = anonymousMegabytes()
const bothVariants = await run([clean, spliced], saes)
await milliseconds(five)
await tokenMilliseconds([clean])
await tokenMilliseconds([clean, spliced])

const seen = { clean: [] as number[], outside: [] as number[], spliced: [] as number[], five: [] as number[] }
const decoded = { decode: [] as number[], decodeSpliced: [] as number[] }
for (let round = 0; round < Number(rounds); round++) {
  for (let each = 0; each < 3; each++) {
    const { whole } = await run([clean], [])
    seen.clean.push(whole)
    seen.outside.push(whole - inRuntime)
  }
  seen.spliced.push(await milliseconds([clean, spliced]))
  seen.five.push(await milliseconds(five))
  decoded.decode.push(await tokenMilliseconds([clean]))
  decoded.decodeSpliced.push(await tokenMilliseconds([clean, spliced]))
}
const logProbs = logProbsOf(first.result, 0)
const measures: ForwardMeasures = {
  open,
  anonymousOpen,
  anonymousRun,
  anonymousEnd: anonymousMegabytes(),
  firstRun: first.whole,
  logProbs,
  splicedLogProbs: logProbsOf(bothVariants.result, 1),
  deviceMegabytes: deviceMegabytes(),
  loss: -logProbs.reduce((sum, each) => sum + each, 0) / logProbs.length,
  ...seen,
  ...decoded
}
console.log(JSON.stringify(measures))
