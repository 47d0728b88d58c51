/**
 * The engine's side of the inference process: starts it when it is first needed, sends it one run at a time, and starts
 * another when it dies. A cancelled run that does not stop at a stage's end costs the process its life. Passes of evaluations
 * have a queue of their own: they give way to runs, between two stages.
 */
import { type ChildProcess, fork } from 'node:child_process'
import fs from 'node:fs'
import type { InferenceState } from '../../contract/engine.ts'
import { SpliceError } from '../../contract/errors.ts'
import type { FeatureWeights } from '../../contract/feature-weights.ts'
import type { ActivationWindow, HookTable } from '../../contract/hooks.ts'
import type { FeatureEffects } from '../../contract/logit-effects.ts'
import { type Precision, type Prompt, type PromptTokens, type Provider, provider as providerSchema } from '../../contract/run.ts'
import { unfinishedFile } from '../checkpoint/safetensors-writer.ts'
import type { EvaluatedPass, EvaluationJob } from '../inference/evaluation-messages.ts'
import type { HarvestedPass, HarvestJob } from '../inference/harvest-messages.ts'
import {
  type AnswersJob,
  type AttributionJob,
  type EffectsJob,
  type FromInference,
  fromInference,
  type GenerationJob,
  type GenerationStep,
  type HookJob,
  type InferenceJob,
  type InferenceResult,
  type InferredAnswers,
  type InferredAttribution,
  type InferredGeneration,
  type InferredLens,
  type InferredPatch,
  type InferredPatching,
  jobIn,
  type LensJob,
  type MeasureResult,
  type PatchingJob,
  type PatchingStep,
  type PatchJob,
  type ReadFeatures,
  type ToInference,
  type WeightsJob
} from '../inference/messages.ts'
import type { ProcessChoice } from '../inference/standards.ts'
import { diedError, LastWords, type ProcessDeath, processDeath } from './process-death.ts'
import { processEntry } from './process-entry.ts'
import { Turns } from './turns.ts'

/** How long a cancelled run may take to reach the end of its stage, in ms. */
const cancelPatience = 150

/** How many jobs of a kind may wait for their turn; what comes then is refused. */
export const mostWaiting = 256

function cancelledRun(): SpliceError {
  return new SpliceError('run/cancelled', 'the run was cancelled')
}

/** Hears what is under way and how far it is, as a fraction of 1. */
type OnProgress = (stage: string, fraction: number) => void

/** What work gives before it is done. */
type StepMessage = Extract<FromInference, { kind: 'step' | 'patching' }>

interface Request {
  readonly message: ToInference
  readonly onProgress: OnProgress
  readonly onStep: (message: StepMessage) => void
  readonly resolve: (message: FromInference) => void
  readonly reject: (error: unknown) => void
  /** Ends as cancelled, also where the answer was on its way already. */
  isCancelled: boolean
  /** Whether something of it was told, so that it must not begin again. */
  hasStepped: boolean
}

/** What processes run with where a job leaves it open. */
export type InferenceChoice = Pick<ProcessChoice, 'provider' | 'threads'> & Partial<Pick<ProcessChoice, 'precision'>>

/** What the engine wants to hear of the process. */
export interface InferenceListener {
  onState(state: InferenceState): void
  /** Memory or provider are others than before. */
  onChange(): void
  onDied(error: SpliceError): void
}

/** The file that a job was to write, which a process that ends leaves unfinished. */
function savedFile(message: ToInference): string | undefined {
  if (message.kind === 'run') return message.job.save?.file
  return message.kind === 'lens' ? message.lensJob.job.save?.file : undefined
}

export class InferenceProcess {
  #child: ChildProcess | null = null
  #nextId = 1
  #closed = false
  readonly #requests = new Map<number, Request>()
  readonly #queues = { runs: new Turns(mostWaiting), evaluations: new Turns(mostWaiting) }
  #atWork = 0
  readonly #listener: InferenceListener
  #killedOnPurpose = false
  #choice: InferenceChoice
  /** Why providers are not tried again: they ended a process. */
  #refused: ProcessChoice['refused'] = {}
  /** Whether the present process said what it runs with. */
  #isReady = false
  #whenReady = Promise.withResolvers<void>()
  provider = 'cpu'
  precision: Precision = 'fp32'
  providerReason = ''
  providerFellBack = false
  providers: Provider[] = []
  threads = 0
  threadsChosen = false
  mappedBytes = 0
  residentBytes: number | null = null
  state: InferenceState = 'starting'

  /** `choice` is what processes run with where a job leaves it open. */
  constructor(listener: InferenceListener, choice: InferenceChoice = { provider: 'auto', threads: null }) {
    this.#listener = listener
    this.#choice = choice
  }

  get processId(): number | null {
    return this.#child?.pid ?? null
  }

  #setState(state: InferenceState): void {
    this.state = state
    this.#listener.onState(state)
  }

  /** Starts the process if it is not there. */
  start(): ChildProcess {
    if (this.#child !== null) return this.#child
    const choice: ProcessChoice = { precision: 'fp32', ...this.#choice, refused: this.#refused }
    const child = fork(processEntry('inference'), [JSON.stringify(choice)], {
      serialization: 'advanced',
      execPath: process.execPath,
      execArgv: [],
      stdio: ['inherit', 'inherit', 'pipe', 'ipc']
    })
    const printed = new LastWords()
    child.stderr?.on('data', (chunk: Buffer) => printed.hear(chunk))
    this.threadsChosen = choice.threads !== null
    this.#child = child
    this.#isReady = false
    child.on('message', raw => this.#receive(raw))
    child.on('exit', (code, signal) => {
      if (this.#child === child && !this.#killedOnPurpose && !this.#closed) printed.say()
      this.#onExit(child, processDeath(code, signal))
    })
    child.on('error', error => this.#onExit(child, { how: error.message, isCrash: false, mayBeMemory: false }))
    return child
  }

  #receive(raw: unknown): void {
    const message = fromInference.parse(raw)
    if (message.kind === 'ready') {
      const { provider, precision, reason, fellBack, threads, providers } = message
      Object.assign(this, { provider, precision, providerReason: reason, providerFellBack: fellBack, threads, providers })
      this.#isReady = true
      this.#whenReady.resolve()
      this.#setState(this.#atWork > 0 ? 'busy' : 'ready')
      return
    }
    if (message.kind === 'memory') {
      this.residentBytes = message.residentBytes
      this.#listener.onChange()
      return
    }
    const request = this.#requests.get(message.id)
    if (request === undefined) return
    if (message.kind === 'progress') {
      request.onProgress(message.stage, message.fraction)
      return
    }
    if (message.kind === 'step' || message.kind === 'patching') {
      request.hasStepped = true
      request.onStep(message)
      return
    }
    this.#requests.delete(message.id)
    if (request.isCancelled) request.reject(cancelledRun())
    else if (message.kind === 'error') {
      request.reject(SpliceError.fromData(message.error))
      // What it holds so far may be what is missing.
      if (message.error.kind === 'inference/memory') void this.restart()
    } else request.resolve(message)
  }

  #onExit(child: ChildProcess, death: ProcessDeath): void {
    if (this.#child !== child) return
    this.#child = null
    this.mappedBytes = 0
    this.residentBytes = null
    const onPurpose = this.#killedOnPurpose
    this.#killedOnPurpose = false
    const requests = [...this.#requests.values()]
    this.#requests.clear()
    for (const { message } of requests) {
      const file = savedFile(message)
      if (file !== undefined && child.pid !== undefined) fs.rmSync(unfinishedFile(file, child.pid), { force: true })
    }
    if (this.#closed) {
      for (const request of requests) request.reject(diedError(death, null))
      return
    }
    const fallen = onPurpose ? new Set<Request>() : this.#refuse(death, requests)
    this.#setState('restarting')
    if (!onPurpose) this.#listener.onDied(diedError(death, null))
    const next = this.start()
    for (const request of requests) {
      // Whoever waits beside what was cancelled did not ask for its end; and what a driver ended, the CPU can do.
      if ((onPurpose && !request.isCancelled) || fallen.has(request)) this.#post(request, next)
      else if (onPurpose || request.isCancelled) request.reject(new SpliceError('run/cancelled', 'the run was cancelled'))
      else void this.#needOf(request, death, next).then(need => request.reject(diedError(death, need)))
    }
  }

  /** Keeps providers that ended a process from being tried again; gives the requests that the CPU can do instead. */
  #refuse(death: ProcessDeath, requests: readonly Request[]): Set<Request> {
    if (!this.#isReady) {
      const { provider } = this.#choice
      if (provider !== 'auto' && provider !== 'cpu') {
        this.#refused = { ...this.#refused, [provider]: `the inference process ended (${death.how}) when it was tried` }
      }
      return new Set()
    }
    const fallen = new Set<Request>()
    for (const request of death.isCrash ? requests : []) {
      const asked = jobIn(request.message)?.asked.provider ?? 'cpu'
      const ran = providerSchema.safeParse(asked === 'auto' ? this.provider : asked).data ?? 'cpu'
      if (ran === 'cpu' || ran === 'auto') continue
      this.#refused = { ...this.#refused, [ran]: `the inference process ended (${death.how}) while it ran` }
      if (!request.hasStepped && !request.isCancelled) fallen.add(request)
    }
    return fallen
  }

  /** What a request would have taken that may have ended its process for want of memory, in words. */
  async #needOf({ message }: Request, { mayBeMemory }: ProcessDeath, child: ChildProcess): Promise<string | null> {
    const job = mayBeMemory ? (jobIn(message)?.estimated ?? null) : null
    if (job === null) return null
    const id = this.#nextId
    this.#nextId += 1
    const answer = await new Promise<FromInference>((resolve, reject) => {
      const nothing = { onProgress: () => undefined, onStep: () => undefined, isCancelled: false, hasStepped: false }
      this.#post({ message: { kind: 'estimate', id, job }, resolve, reject, ...nothing }, child)
    }).catch(() => null)
    return answer?.kind === 'estimate' ? answer.need : null
  }

  #request(
    make: (id: number) => ToInference,
    signal: AbortSignal | undefined,
    onProgress: OnProgress,
    onStep: Request['onStep'] = () => undefined
  ): Promise<FromInference> {
    if (signal?.aborted) return Promise.reject(cancelledRun())
    const child = this.start()
    const id = this.#nextId
    this.#nextId += 1
    return new Promise((resolve, reject) => {
      this.#post({ message: make(id), onProgress, onStep, resolve, reject, isCancelled: false, hasStepped: false }, child)
      signal?.addEventListener('abort', () => this.#cancel(id), { once: true })
    })
  }

  #post(request: Request, child: ChildProcess): void {
    const { message, reject } = request
    this.#requests.set(message.id, request)
    child.send(message, error => {
      if (error !== null && this.#requests.delete(message.id)) {
        reject(new SpliceError('inference/died', `the inference process cannot be reached: ${error.message}`, { mistake: false }))
      }
    })
  }

  #cancel(id: number): void {
    const request = this.#requests.get(id)
    const child = this.#child
    if (request === undefined || child === null) return
    if (request.message.kind === 'tokenize') {
      // Its answer, when it comes, is dropped; a run that computes meanwhile is another's.
      this.#requests.delete(id)
      request.reject(new SpliceError('run/cancelled', 'tokenizing was cancelled'))
      return
    }
    request.isCancelled = true
    child.send({ kind: 'cancel', id } satisfies ToInference, () => undefined)
    setTimeout(() => {
      if (!this.#requests.has(id) || this.#child !== child) return
      this.#killedOnPurpose = true
      child.kill('SIGKILL')
    }, cancelPatience).unref()
  }

  /** Asks for work that runs a model, after such work before it. */
  #inTurn(
    make: (id: number) => ToInference,
    signal: AbortSignal | undefined,
    onProgress: OnProgress,
    { queue = 'runs', onStep }: { readonly queue?: 'runs' | 'evaluations'; readonly onStep?: Request['onStep'] } = {}
  ): Promise<FromInference> {
    const work = () => this.#atWorkWith(() => this.#request(make, signal, onProgress, onStep))
    return this.#queues[queue].take(work, signal, cancelledRun)
  }

  /** Is busy until an answer is there. */
  async #atWorkWith(ask: () => Promise<FromInference>): Promise<FromInference> {
    this.#atWork += 1
    if (this.state !== 'busy') this.#setState('busy')
    try {
      return await ask()
    } finally {
      this.#atWork -= 1
      if (this.#child !== null && this.state === 'busy' && this.#atWork === 0) this.#setState('ready')
    }
  }

  /** Takes over what an answer says of the process; a graph that the provider refuses runs on the CPU. */
  #note(asked: Provider, ran: { readonly provider: string; readonly providerReason: string; readonly mappedBytes: number }): void {
    this.mappedBytes = ran.mappedBytes
    if (asked === 'auto' && ran.provider !== this.provider) {
      this.provider = ran.provider
      this.providerReason = ran.providerReason
      this.providerFellBack = ran.provider !== this.#choice.provider && this.#choice.provider !== 'auto'
    }
    this.#listener.onChange()
  }

  /** Runs a job after those before it. Throws what the job throws, `run/cancelled`, or `inference/died`. */
  async run(job: InferenceJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<InferenceResult> {
    const answer = await this.#inTurn(id => ({ kind: 'run', id, job }), signal, onProgress)
    if (answer.kind !== 'run') throw new Error(`the inference process answered a run with ${answer.kind}`)
    this.#note(job.provider, answer.result)
    return answer.result
  }

  /** Statistics of every hook point of a variant; waits and throws as `run` does. */
  async hooks(hookJob: HookJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<HookTable> {
    const answer = await this.#inTurn(id => ({ kind: 'hooks', id, hookJob }), signal, onProgress)
    if (answer.kind !== 'hooks') throw new Error(`the inference process answered hooks with ${answer.kind}`)
    return answer.table
  }

  /** What a job's SAEs measure on the model as it is; waits and throws as `run` does. */
  async measure(job: InferenceJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<MeasureResult> {
    const answer = await this.#inTurn(id => ({ kind: 'measure', id, job }), signal, onProgress)
    if (answer.kind !== 'measure') throw new Error(`the inference process answered a measurement with ${answer.kind}`)
    return answer.result
  }

  /** All active features of one of a job's SAEs, in every variant; waits and throws as `run` does. */
  async readFeatures(job: InferenceJob, sae: string, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<ReadFeatures> {
    const answer = await this.#inTurn(id => ({ kind: 'features', id, job, sae }), signal, onProgress)
    if (answer.kind !== 'features') throw new Error(`the inference process answered features with ${answer.kind}`)
    return answer.features
  }

  /** One activation and, with a window, its values; waits and throws as `run` does. */
  async activation(
    hookJob: HookJob,
    { hook, window }: { hook: string; window: ActivationWindow | null },
    signal: AbortSignal | undefined,
    onProgress: OnProgress
  ): Promise<Extract<FromInference, { kind: 'activation' }>> {
    const answer = await this.#inTurn(id => ({ kind: 'activation', id, hookJob, hook, window }), signal, onProgress)
    if (answer.kind !== 'activation') throw new Error(`the inference process answered an activation with ${answer.kind}`)
    return answer
  }

  /** What an SAE's weights say of a feature; waits and throws as `run` does. */
  async featureWeights(weightsJob: WeightsJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<FeatureWeights> {
    const answer = await this.#inTurn(id => ({ kind: 'weights', id, weightsJob }), signal, onProgress)
    if (answer.kind !== 'weights') throw new Error(`the inference process answered weights with ${answer.kind}`)
    return answer.weights
  }

  /** A run through the logit lens; waits and throws as `run` does. */
  async lens(lensJob: LensJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<InferredLens> {
    const answer = await this.#inTurn(id => ({ kind: 'lens', id, lensJob }), signal, onProgress)
    if (answer.kind !== 'lens') throw new Error(`the inference process answered a lens with ${answer.kind}`)
    this.#note(lensJob.job.provider, answer.lens)
    return answer.lens
  }

  /** What features do to the logits; waits and throws as `run` does. */
  async effects(effectsJob: EffectsJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<FeatureEffects[]> {
    const answer = await this.#inTurn(id => ({ kind: 'effects', id, effectsJob }), signal, onProgress)
    if (answer.kind !== 'effects') throw new Error(`the inference process answered effects with ${answer.kind}`)
    return answer.effects
  }

  /** Continues a prompt, step by step; waits and throws as `run` does. */
  async generate(
    generationJob: GenerationJob,
    signal: AbortSignal | undefined,
    onProgress: OnProgress,
    onStep: (step: GenerationStep) => void
  ): Promise<InferredGeneration> {
    const answer = await this.#inTurn(id => ({ kind: 'generate', id, generationJob }), signal, onProgress, {
      onStep: message => {
        if (message.kind === 'step') onStep(message.step)
      }
    })
    if (answer.kind !== 'generate') throw new Error(`the inference process answered a generation with ${answer.kind}`)
    this.#note(generationJob.provider, answer.result)
    return answer.result
  }

  /** Scores answers to a prompt; waits and throws as `run` does. */
  async answers(answersJob: AnswersJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<InferredAnswers> {
    const answer = await this.#inTurn(id => ({ kind: 'answers', id, answersJob }), signal, onProgress)
    if (answer.kind !== 'answers') throw new Error(`the inference process answered answers with ${answer.kind}`)
    this.mappedBytes = answer.result.mappedBytes
    return answer.result
  }

  /** Ablates features and reads a quantity; waits and throws as `run` does. */
  async attribute(attributionJob: AttributionJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<InferredAttribution> {
    const answer = await this.#inTurn(id => ({ kind: 'attribute', id, attributionJob }), signal, onProgress)
    if (answer.kind !== 'attribute') throw new Error(`the inference process answered an attribution with ${answer.kind}`)
    this.#note(attributionJob.provider, answer.result)
    return answer.result
  }

  /** Patches grids of cells, layer by layer; waits and throws as `run` does. */
  async patchGrids(
    patchingJob: PatchingJob,
    signal: AbortSignal | undefined,
    onProgress: OnProgress,
    onStep: (step: PatchingStep) => void
  ): Promise<InferredPatching> {
    const answer = await this.#inTurn(id => ({ kind: 'patch-grids', id, patchingJob }), signal, onProgress, {
      onStep: message => {
        if (message.kind === 'patching') onStep(message.step)
      }
    })
    if (answer.kind !== 'patch-grids') throw new Error(`the inference process answered patches with ${answer.kind}`)
    this.#note(patchingJob.provider, answer.result)
    return answer.result
  }

  /** Patches one cell; waits and throws as `run` does. */
  async patchOne(patchJob: PatchJob, signal: AbortSignal | undefined, onProgress: OnProgress): Promise<InferredPatch> {
    const answer = await this.#inTurn(id => ({ kind: 'patch-one', id, patchJob }), signal, onProgress)
    if (answer.kind !== 'patch-one') throw new Error(`the inference process answered a patch with ${answer.kind}`)
    this.#note(patchJob.provider, answer.result)
    return answer.result
  }

  /** Runs one pass of an evaluation after those before it, and while no run is under way. Throws as `run` does. */
  async evaluate(job: EvaluationJob, signal: AbortSignal | undefined): Promise<EvaluatedPass> {
    const answer = await this.#inTurn(
      id => ({ kind: 'evaluate', id, job }),
      signal,
      () => undefined,
      { queue: 'evaluations' }
    )
    if (answer.kind !== 'evaluate') throw new Error(`the inference process answered an evaluation with ${answer.kind}`)
    this.#note(job.provider, answer.pass)
    return answer.pass
  }

  /**
   * Runs one pass of a harvest while no run is under way. The next may be asked for before it has its answer, so that nothing waits between
   * them; they run in the order in which they were asked for. Throws as `run` does.
   */
  async harvest(job: HarvestJob, signal: AbortSignal | undefined): Promise<HarvestedPass> {
    // A process that is to end anew takes over what was asked for; what is asked for behind that waits for it.
    await this.#queues.evaluations.end
    const answer = await this.#atWorkWith(() =>
      this.#request(
        id => ({ kind: 'harvest', id, job }),
        signal,
        () => undefined
      )
    )
    if (answer.kind !== 'harvest') throw new Error(`the inference process answered a harvest with ${answer.kind}`)
    this.#note(job.provider, answer.pass)
    return answer.pass
  }

  /** Tokens of a prompt. Throws what the model's folder or tokenizer throws. */
  async tokenize(model: string, prompt: Prompt, signal?: AbortSignal): Promise<PromptTokens> {
    const answer = await this.#request(
      id => ({ kind: 'tokenize', id, model, prompt }),
      signal,
      () => undefined
    )
    if (answer.kind !== 'tokenize') throw new Error(`the inference process answered tokenize with ${answer.kind}`)
    return answer.result
  }

  /** Starts the process, where it is not there, and settles when it has said what it runs with. */
  async ready(): Promise<void> {
    this.start()
    await this.#whenReady.promise
  }

  /** Has processes run with another provider or number of threads; the present one ends after what is under way. */
  async choose(choice: InferenceChoice): Promise<void> {
    this.#choice = choice
    this.#refused = {}
    await this.restart()
  }

  /**
   * Ends the present process when nothing that runs a model is under way and lets another take its place; settles when that one is ready.
   * `between` is done after the end of the one and before anything runs in the other.
   */
  async restart(between: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    const turn = Promise.all([this.#queues.runs.end, this.#queues.evaluations.end]).then(async () => {
      const child = this.#child
      if (this.#closed) return
      if (child === null) return between()
      const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
      this.#whenReady = Promise.withResolvers()
      this.#killedOnPurpose = true
      child.kill('SIGKILL')
      await gone
      await between()
      await this.#whenReady.promise
    })
    this.#queues.runs.waitFor(turn)
    this.#queues.evaluations.waitFor(turn)
    await turn
  }

  /** Ends the process. What was under way fails. */
  async close(): Promise<void> {
    this.#closed = true
    this.#whenReady.resolve()
    const child = this.#child
    if (child === null) return
    const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
    child.kill('SIGKILL')
    await gone
  }
}
