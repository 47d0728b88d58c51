/**
 * The inference process: ONNX Runtime and nothing else. The engine starts it, sends jobs over IPC and may kill it at any
 * moment; it keeps no state that is not on disk. One job runs at a time; a cancel is heard between stages.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { SpliceError, toErrorData } from '../../contract/errors.ts'
import { readFeatures } from './active-features.ts'
import { scoreAnswers } from './answers.ts'
import { attempt } from './attempt.ts'
import { attribute } from './attribution.ts'
import { CompiledPlans } from './compiled.ts'
import { evaluatePass } from './evaluation.ts'
import { readFeatureWeights } from './feature-weights.ts'
import { generate } from './generate.ts'
import { harvestPass } from './harvest.ts'
import { activationOf, type HookState, listHooks, lookThrough } from './hooks.ts'
import { KeptActivations } from './kept-activations.ts'
import { readLens } from './lens.ts'
import { logitEffects } from './logit-effects.ts'
import { measureSaes } from './measure.ts'
import { type MemoryNeed, memoryNeed, needInWords } from './memory.ts'
import {
  type EstimatedJob,
  type FromInference,
  type GenerationStep,
  jobIn,
  type PatchingStep,
  type ToInference,
  toInference
} from './messages.ts'
import { OpenModels } from './models.ts'
import { keepingSessions } from './open-sessions.ts'
import { patchGrids } from './patch-grids.ts'
import { patchOne } from './patch-one.ts'
import { defaultBudget } from './plan.ts'
import { tokenizePrompt } from './prompt-tokens.ts'
import { type InferenceState, type Pause, prepare, runJob } from './run.ts'
import { positionsAtOnce } from './sequence-pass.ts'
import { chooseProvider, type Target } from './sessions.ts'
import { processChoice, settleStandards } from './standards.ts'

const state: InferenceState = { models: new OpenModels(), plans: new CompiledPlans(), budget: defaultBudget }
/** Bytes of activations that are kept to be looked at again. */
const keptActivationBytes = 256e6
const hookState: HookState = { ...state, kept: new KeptActivations(keptActivationBytes) }
/** Passes of harvests are asked for ahead, and run one after the other. */
let lastHarvest: Promise<unknown> = Promise.resolve()
const cancelled = new Set<number>()
/** Jobs of which something was told already. */
const stepped = new Set<number>()
/** Jobs under way that a person waits for. */
let awaited = 0
/** How often an evaluation that stands back looks whether it may go on, in ms. */
const standBack = 5

function send(message: FromInference): void {
  // An engine that is gone hears nothing; `disconnect` then ends this process.
  process.send?.(message, () => undefined)
}

/** How often the engine hears of the memory at most, and how often it is looked at while nothing happens, in ms. */
const memoryInterval = 500
const idleMemoryInterval = 5000
/** What is not worth telling, in bytes. */
const memoryStep = 1e6
const memory = { toldBytes: 0, toldAt: Number.NEGATIVE_INFINITY }

/** Tells how much memory is resident, where that has changed. */
function tellMemory(): void {
  if (performance.now() - memory.toldAt < memoryInterval) return
  const residentBytes = process.memoryUsage.rss()
  memory.toldAt = performance.now()
  if (Math.abs(residentBytes - memory.toldBytes) < memoryStep) return
  memory.toldBytes = residentBytes
  send({ kind: 'memory', residentBytes })
}

/** Lets messages in, then says whether the job goes on. */
async function listen(id: number): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
  if (cancelled.delete(id)) throw new SpliceError('run/cancelled', 'the run was cancelled')
}

function pauseOf(id: number, stage: string, fraction: number): Promise<void> {
  send({ kind: 'progress', id, stage, fraction })
  tellMemory()
  return listen(id)
}

/** Between the stages of an evaluation or a harvest, which stands back as long as a person waits for something else. */
async function pauseOfEvaluation(id: number, stage: string, fraction: number): Promise<void> {
  await pauseOf(id, stage, fraction)
  while (awaited > 0) {
    await wait(standBack)
    await listen(id)
  }
}

async function tokenize(message: Extract<ToInference, { kind: 'tokenize' }>): Promise<FromInference> {
  const reading = { processing: new Set<never>(), layerOrder: 'checkpoint', hookMlpIn: false } as const
  const model = await state.models.model(message.model, reading)
  return { kind: 'tokenize', id: message.id, result: await tokenizePrompt(message.prompt, model) }
}

/** Numbers of hook points, or the values of one. */
async function lookAt(message: Extract<ToInference, { kind: 'hooks' | 'activation' }>): Promise<FromInference> {
  const { id, hookJob } = message
  const pause: Pause = (stage, fraction) => pauseOf(id, stage, fraction)
  if (message.kind === 'hooks') return { kind: 'hooks', id, table: await listHooks(hookJob, hookState, pause) }
  const kept = await activationOf(hookJob, message.hook, hookState, pause)
  const { hook, magnitudes, differenceMagnitudes } = kept
  const window = message.window === null ? null : lookThrough(kept, message.window)
  return { kind: 'activation', id, activation: { hook, magnitudes, differenceMagnitudes }, window }
}

async function measure({ id, job }: Extract<ToInference, { kind: 'measure' }>): Promise<FromInference> {
  return { kind: 'measure', id, result: await measureSaes(job, state, (stage, fraction) => pauseOf(id, stage, fraction)) }
}

async function score({ id, answersJob }: Extract<ToInference, { kind: 'answers' }>): Promise<FromInference> {
  return { kind: 'answers', id, result: await scoreAnswers(answersJob, state, (stage, fraction) => pauseOf(id, stage, fraction)) }
}

async function continuePrompt({ id, generationJob }: Extract<ToInference, { kind: 'generate' }>): Promise<FromInference> {
  const pause: Pause = (stage, fraction) => pauseOf(id, stage, fraction)
  const onStep = (step: GenerationStep): void => {
    stepped.add(id)
    send({ kind: 'step', id, step })
  }
  return { kind: 'generate', id, result: await generate(generationJob, state, pause, onStep) }
}

/** A pass after those before it; the answer is on its way before the next one begins, which would block it. */
function harvest({ id, job }: Extract<ToInference, { kind: 'harvest' }>): Promise<void> {
  const turn = lastHarvest.then(async () => {
    await pauseOfEvaluation(id, 'harvest', 0)
    const pass = await harvestPass(job, state, (stage, fraction) => pauseOfEvaluation(id, stage, fraction))
    await new Promise<void>(resolve => {
      if (process.send === undefined) resolve()
      else process.send({ kind: 'harvest', id, pass } satisfies FromInference, () => resolve())
    })
  })
  lastHarvest = turn.catch(() => undefined)
  return turn
}

/** Nothing runs before it is settled what it runs with. */
const settled = settleStandards(processChoice.parse(JSON.parse(process.argv[2] ?? '{}')))

/** Does the work of a message; null where it has answered already. Throws what is wrong with it, and what the runtime throws. */
async function work(message: Exclude<ToInference, { kind: 'cancel' }>): Promise<FromInference | null> {
  const { id } = message
  const pause: Pause = (stage, fraction) => pauseOf(id, stage, fraction)
  switch (message.kind) {
    case 'tokenize':
      return tokenize(message)
    case 'generate':
      return continuePrompt(message)
    case 'answers':
      return score(message)
    case 'hooks':
    case 'activation':
      return lookAt(message)
    case 'measure':
      return measure(message)
    case 'features':
      return { kind: 'features', id, features: await readFeatures(message.job, message.sae, state, pause) }
    case 'effects':
      return { kind: 'effects', id, effects: await logitEffects(message.effectsJob, state, pause) }
    case 'weights':
      return { kind: 'weights', id, weights: await readFeatureWeights(message.weightsJob, state, pause) }
    case 'lens':
      return { kind: 'lens', id, lens: await readLens(message.lensJob, state, pause) }
    case 'attribute':
      return { kind: 'attribute', id, result: await attribute(message.attributionJob, state, pause) }
    case 'patch-grids': {
      const onStep = (step: PatchingStep): void => {
        stepped.add(id)
        send({ kind: 'patching', id, step })
      }
      return { kind: 'patch-grids', id, result: await patchGrids(message.patchingJob, state, pause, onStep) }
    }
    case 'patch-one':
      return { kind: 'patch-one', id, result: await patchOne(message.patchJob, state, pause) }
    case 'harvest':
      await harvest(message)
      return null
    case 'evaluate':
      return {
        kind: 'evaluate',
        id,
        pass: await evaluatePass(message.job, state, (stage, fraction) => pauseOfEvaluation(id, stage, fraction))
      }
    case 'estimate':
      return { kind: 'estimate', id, need: await estimate(message.job) }
    case 'run':
      return { kind: 'run', id, result: await runJob(message.job, state, pause) }
  }
}

/** What a job needs, in words; null where that cannot be said. */
async function estimate(job: EstimatedJob): Promise<string | null> {
  const need = await needOf(job, chooseProvider(job.provider, job.precision)).catch(() => null)
  return need === null ? null : needInWords(need)
}

async function needOf({ inPieces, ...job }: EstimatedJob, target: Target): Promise<MemoryNeed> {
  const { model, saes, tokens } = await prepare(job, state)
  const atOnce = inPieces ? positionsAtOnce : undefined
  return memoryNeed({ model, saes, positions: tokens.length, rows: job.variants.length, atOnce }, state.budget, target)
}

/** Does the work of a message, on the CPU where a device cannot. */
function attempted(message: Exclude<ToInference, { kind: 'cancel' }>): Promise<FromInference | null> {
  const job = jobIn(message)
  if (job === null) return work(message)
  return attempt(() => work(message), {
    ...job.asked,
    // A window that has drawn the first tokens must not get them again.
    mayRepeat: () => !stepped.has(message.id),
    need: async target => (job.estimated === null ? null : needOf(job.estimated, target))
  })
}

async function answer(message: ToInference): Promise<void> {
  if (message.kind === 'cancel') {
    cancelled.add(message.id)
    return
  }
  const isAwaited = message.kind !== 'evaluate' && message.kind !== 'harvest'
  if (isAwaited) awaited += 1
  try {
    await settled
    const answered = await keepingSessions(() => attempted(message))
    if (answered !== null) send(answered)
  } catch (thrown) {
    send({ kind: 'error', id: message.id, error: toErrorData(thrown) })
  } finally {
    if (isAwaited) awaited -= 1
    cancelled.delete(message.id)
    stepped.delete(message.id)
    tellMemory()
  }
}

process.on('message', raw => {
  void answer(toInference.parse(raw))
})
process.on('disconnect', () => process.exit(0))
// Ctrl-C in a terminal reaches the whole group; the engine decides when this process ends.
process.on('SIGINT', () => undefined)
setInterval(tellMemory, idleMemoryInterval).unref()
const { provider, precision, reason, fellBack, threads, providers } = await settled
send({ kind: 'ready', provider, precision, reason, fellBack, threads, providers })
tellMemory()
