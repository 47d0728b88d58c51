/**
 * The inference process: ONNX Runtime and nothing else. The engine starts it, sends jobs over IPC and may kill it at any
 * moment; it keeps no state that is not on disk. One job runs at a time; a cancel is heard between stages.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { SpliceError, toErrorData } from '../../contract/errors.ts'
import { readFeatures } from './active-features.ts'
import { scoreAnswers } from './answers.ts'
import { attribute } from './attribution.ts'
import { CompiledPlans } from './compiled.ts'
import { evaluatePass } from './evaluation.ts'
import { readFeatureWeights } from './feature-weights.ts'
import { generate } from './generate.ts'
import { activationOf, type HookState, listHooks, lookThrough } from './hooks.ts'
import { KeptActivations } from './kept-activations.ts'
import { readLens } from './lens.ts'
import { logitEffects } from './logit-effects.ts'
import { measureSaes } from './measure.ts'
import { type FromInference, type ToInference, toInference } from './messages.ts'
import { OpenModels } from './models.ts'
import { outOfMemory } from './out-of-memory.ts'
import { defaultBudget } from './plan.ts'
import { tokenizePrompt } from './prompt-tokens.ts'
import { type InferenceState, type Pause, runJob } from './run.ts'
import { processChoice, settleStandards } from './standards.ts'

const state: InferenceState = { models: new OpenModels(), plans: new CompiledPlans(), budget: defaultBudget }
/** Bytes of activations that are kept to be looked at again. */
const keptActivationBytes = 256e6
const hookState: HookState = {
  models: state.models,
  plans: new CompiledPlans(2),
  budget: defaultBudget,
  kept: new KeptActivations(keptActivationBytes)
}
/** Plans of checks, apart from those of runs. */
const measureState: InferenceState = { ...state, plans: new CompiledPlans(1) }
/** Plans that rank more features than runs do. */
const featureState: InferenceState = { ...state, plans: new CompiledPlans(1) }
/** Plans of the logit lens. */
const lensState: InferenceState = { ...state, plans: new CompiledPlans(1) }
/** Plans that ablate features. */
const attributionState: InferenceState = { ...state, plans: new CompiledPlans(2) }
/** Plans that continue sequences. */
const sequenceState: InferenceState = { ...state, plans: new CompiledPlans(2) }
/** Evaluations have plans of their own: runs that they stand back for must not close them. */
const evaluationState: InferenceState = { ...state, plans: new CompiledPlans(2) }
const cancelled = new Set<number>()
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

/** Between the stages of an evaluation, which stands back as long as a person waits for something else. */
async function pauseOfEvaluation(id: number): Promise<void> {
  tellMemory()
  await listen(id)
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
  return { kind: 'measure', id, result: await measureSaes(job, measureState, (stage, fraction) => pauseOf(id, stage, fraction)) }
}

async function score({ id, answersJob }: Extract<ToInference, { kind: 'answers' }>): Promise<FromInference> {
  return { kind: 'answers', id, result: await scoreAnswers(answersJob, sequenceState, (stage, fraction) => pauseOf(id, stage, fraction)) }
}

async function continuePrompt({ id, generationJob }: Extract<ToInference, { kind: 'generate' }>): Promise<FromInference> {
  const pause: Pause = (stage, fraction) => pauseOf(id, stage, fraction)
  return { kind: 'generate', id, result: await generate(generationJob, sequenceState, pause, step => send({ kind: 'step', id, step })) }
}

/** Nothing runs before it is settled what it runs with. */
const settled = settleStandards(processChoice.parse(JSON.parse(process.argv[2] ?? '{}')))

async function answer(message: ToInference): Promise<void> {
  if (message.kind === 'cancel') {
    cancelled.add(message.id)
    return
  }
  const isAwaited = message.kind !== 'evaluate'
  if (isAwaited) awaited += 1
  try {
    await settled
    if (message.kind === 'tokenize') send(await tokenize(message))
    else if (message.kind === 'generate') send(await continuePrompt(message))
    else if (message.kind === 'answers') send(await score(message))
    else if (message.kind === 'hooks' || message.kind === 'activation') send(await lookAt(message))
    else if (message.kind === 'measure') send(await measure(message))
    else if (message.kind === 'features') {
      const features = await readFeatures(message.job, message.sae, featureState, (stage, fraction) => pauseOf(message.id, stage, fraction))
      send({ kind: 'features', id: message.id, features })
    } else if (message.kind === 'effects') {
      const effects = await logitEffects(message.effectsJob, state, (stage, fraction) => pauseOf(message.id, stage, fraction))
      send({ kind: 'effects', id: message.id, effects })
    } else if (message.kind === 'weights') {
      const weights = await readFeatureWeights(message.weightsJob, state, (stage, fraction) => pauseOf(message.id, stage, fraction))
      send({ kind: 'weights', id: message.id, weights })
    } else if (message.kind === 'lens') {
      const lens = await readLens(message.lensJob, lensState, (stage, fraction) => pauseOf(message.id, stage, fraction))
      send({ kind: 'lens', id: message.id, lens })
    } else if (message.kind === 'attribute') {
      const pause: Pause = (stage, fraction) => pauseOf(message.id, stage, fraction)
      send({ kind: 'attribute', id: message.id, result: await attribute(message.attributionJob, attributionState, pause) })
    } else if (message.kind === 'evaluate') {
      const pass = await evaluatePass(message.job, evaluationState, () => pauseOfEvaluation(message.id))
      send({ kind: 'evaluate', id: message.id, pass })
    } else {
      const result = await runJob(message.job, state, (stage, fraction) => pauseOf(message.id, stage, fraction))
      send({ kind: 'run', id: message.id, result })
    }
  } catch (thrown) {
    send({ kind: 'error', id: message.id, error: toErrorData(outOfMemory(thrown) ?? thrown) })
  } finally {
    if (isAwaited) awaited -= 1
    cancelled.delete(message.id)
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
const { provider, reason, fellBack, threads, providers } = await settled
send({ kind: 'ready', provider, reason, fellBack, threads, providers })
tellMemory()
