/**
 * The life of the inference process as the engine sees it: started when it is first needed, given one run at a time, and followed by
 * another when it dies. A cancelled run that does not stop at a stage's end costs the process its life. Passes of evaluations
 * have a queue of their own: they give way to runs, between two stages.
 */
import { type ChildProcess, fork } from 'node:child_process'
import fs from 'node:fs'
import type { InferenceState } from '../../contract/engine.ts'
import { SpliceError } from '../../contract/errors.ts'
import { type Precision, type Provider, provider as providerSchema } from '../../contract/run.ts'
import { unfinishedFile } from '../checkpoint/safetensors-writer.ts'
import { type FromInference, fromInference, jobIn, type ToInference } from '../inference/messages.ts'
import type { ProcessChoice } from '../inference/standards.ts'
import { diedError, LastWords, type ProcessDeath, processDeath } from './process-death.ts'
import { processEntry } from './process-entry.ts'
import { Turns } from './turns.ts'

/** A cancelled run is waited for where its stages so far took no longer than this, in ms. */
const longestStage = 120
/** For how much longer than its longest stage so far, or at all, in ms: another process needs some 140 ms to begin the next run. */
const cancelPatience = 20

/** How many jobs of a kind may wait for their turn; what comes then is refused. */
export const mostWaiting = 256

function cancelledRun(): SpliceError {
  return new SpliceError('run/cancelled', 'the run was cancelled')
}

type AnswerKind = FromInference['kind']
type Answer<Kind extends AnswerKind> = Extract<FromInference, { kind: Kind }>

function isOfKind<Kind extends AnswerKind>(answer: FromInference, kind: Kind): answer is Answer<Kind> {
  return answer.kind === kind
}

/** Hears what is under way and how far it is, as a fraction of 1. */
export type OnProgress = (stage: string, fraction: number) => void

/** What work gives before it is done. */
type StepMessage = Extract<FromInference, { kind: 'step' | 'patching' }>

interface Request {
  readonly message: ToInference
  readonly onProgress: OnProgress
  readonly onStep: (message: StepMessage) => void
  readonly resolve: (message: FromInference) => void
  readonly reject: (error: unknown) => void
  /** When its present stage began, and how long the longest so far took, in ms; null before it told of one. */
  stageBegan: number
  longestStage: number | null
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

/** A request of which nothing is known yet, and which nobody follows. */
const unheard = {
  onProgress: () => undefined,
  onStep: () => undefined,
  stageBegan: 0,
  longestStage: null,
  isCancelled: false,
  hasStepped: false
}

/** Settles when a process that was killed is gone. */
function goneFrom(child: ChildProcess): Promise<void> {
  return new Promise(resolve => child.once('exit', () => resolve()))
}

/** Removes what a process that has ended left half-written. */
function removeUnfinished(requests: readonly Request[], { pid }: ChildProcess): void {
  for (const { message } of requests) {
    const file = savedFile(message)
    if (file !== undefined && pid !== undefined) fs.rmSync(unfinishedFile(file, pid), { force: true })
  }
}

/** What `InferenceProcess` asks of the process stands there; this keeps it alive. */
export class ProcessLife {
  #child: ChildProcess | null = null
  #nextId = 1
  #closed = false
  readonly #requests = new Map<number, Request>()
  readonly #queues = { runs: new Turns(mostWaiting), evaluations: new Turns(mostWaiting) }
  #atWork = 0
  readonly #listener: InferenceListener
  #killedOnPurpose = false
  /** Processes that were killed and are not gone, until nothing half-written of theirs is left. */
  readonly #leaving = new Set<Promise<void>>()
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
      const now = performance.now()
      request.longestStage = request.longestStage === null ? 0 : Math.max(request.longestStage, now - request.stageBegan)
      request.stageBegan = now
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
    } else request.resolve(message)
  }

  /** Also before a process that was killed is gone, where nothing has to wait for that. */
  #onExit(child: ChildProcess, death: ProcessDeath): void {
    if (this.#child !== child) return
    this.#child = null
    this.mappedBytes = 0
    this.residentBytes = null
    const onPurpose = this.#killedOnPurpose
    this.#killedOnPurpose = false
    const requests = [...this.#requests.values()]
    this.#requests.clear()
    if (child.exitCode === null && child.signalCode === null) {
      const left = goneFrom(child).then(() => {
        this.#leaving.delete(left)
        removeUnfinished(requests, child)
      })
      this.#leaving.add(left)
    } else removeUnfinished(requests, child)
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
      this.#post({ ...unheard, message: { kind: 'estimate', id, job }, resolve, reject }, child)
    }).catch(() => null)
    return answer?.kind === 'estimate' ? answer.need : null
  }

  /** Asks at once; `kind` is that of the answer. */
  protected async request<Kind extends AnswerKind>(
    kind: Kind,
    make: (id: number) => ToInference,
    signal: AbortSignal | undefined,
    onProgress: OnProgress = () => undefined,
    onStep: Request['onStep'] = () => undefined
  ): Promise<Answer<Kind>> {
    if (signal?.aborted) throw cancelledRun()
    const child = this.start()
    const id = this.#nextId
    this.#nextId += 1
    const answer = await new Promise<FromInference>((resolve, reject) => {
      this.#post({ ...unheard, message: make(id), onProgress, onStep, resolve, reject }, child)
      signal?.addEventListener('abort', () => this.#cancel(id), { once: true })
    })
    if (!isOfKind(answer, kind)) throw new Error(`the inference process answered ${kind} with ${answer.kind}`)
    return answer
  }

  #post(request: Request, child: ChildProcess): void {
    const { message, reject } = request
    Object.assign(request, { stageBegan: performance.now(), longestStage: null })
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
    const stage = Math.max(request.longestStage ?? 0, performance.now() - request.stageBegan)
    setTimeout(
      () => {
        if (!this.#requests.has(id) || this.#child !== child || this.#killedOnPurpose) return
        this.#killedOnPurpose = true
        child.kill('SIGKILL')
        // The next process waits for the memory that this one has on a device.
        const ran = jobIn(request.message)?.asked.provider ?? 'cpu'
        if ((ran === 'auto' ? this.provider : ran) === 'cpu') this.#onExit(child, processDeath(null, 'SIGKILL'))
      },
      cancelPatience + (stage > longestStage ? 0 : stage)
    ).unref()
  }

  /** Asks for work that runs a model, after such work before it. */
  protected async inTurn<Kind extends AnswerKind>(
    kind: Kind,
    make: (id: number) => ToInference,
    signal: AbortSignal | undefined,
    onProgress: OnProgress,
    { queue = 'runs', onStep }: { readonly queue?: 'runs' | 'evaluations'; readonly onStep?: Request['onStep'] } = {}
  ): Promise<Answer<Kind>> {
    const work = () => this.atWorkWith(() => this.request(kind, make, signal, onProgress, onStep))
    return this.#queues[queue].take(work, signal, cancelledRun)
  }

  /** Settles when the passes that are asked for by now have had their turns. */
  protected get evaluationsEnded(): Promise<unknown> {
    return this.#queues.evaluations.end
  }

  /** Is busy until an answer is there. */
  protected async atWorkWith<Result>(ask: () => Promise<Result>): Promise<Result> {
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
  protected note(asked: Provider, ran: { readonly provider: string; readonly providerReason: string; readonly mappedBytes: number }): void {
    this.mappedBytes = ran.mappedBytes
    if (asked === 'auto' && ran.provider !== this.provider) {
      this.provider = ran.provider
      this.providerReason = ran.providerReason
      this.providerFellBack = ran.provider !== this.#choice.provider && this.#choice.provider !== 'auto'
    }
    this.#listener.onChange()
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
      const gone = goneFrom(child)
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
    if (child !== null) {
      const gone = goneFrom(child)
      child.kill('SIGKILL')
      await gone
    }
    await Promise.all(this.#leaving)
  }
}
