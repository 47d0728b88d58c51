/** Runs a job: opens what it names, checks it, compiles or finds its sessions, feeds them, reads the numbers out. */
import type { Tensor } from 'onnxruntime-node'
import { SpliceError } from '../../contract/errors.ts'
import { fromMaybeNumber } from '../../contract/numbers.ts'
import type { PromptTokens, Variant } from '../../contract/run.ts'
import { attach } from '../sae/fit.ts'
import { RowTensor } from './activation.ts'
import { ActivationFile } from './activation-file.ts'
import { reasonOfStandIn } from './attempt.ts'
import { blocksWithin } from './capture-budget.ts'
import type { Compiled, CompiledPlans } from './compiled.ts'
import { inPositionRanges, pick } from './feeds.ts'
import type { InferenceJob, InferenceResult } from './messages.ts'
import type { OpenModel, OpenModels } from './models.ts'
import type { StageSession } from './open-sessions.ts'
import type { PlanRequest, Stage, StageBudget } from './plan.ts'
import { predictionInputs } from './prediction-graph.ts'
import { PredictionTable } from './prediction-table.ts'
import { runnablePrompt } from './prompt-tokens.ts'
import { SaeReadings } from './sae-readings.ts'
import { captureFilter, type KeptActivation } from './save.ts'
import { chooseProvider, cpu, onnxRuntime, type ProviderChoice } from './sessions.ts'
import type { Capture, PlannedSae } from './stage-graph.ts'
import { variantFeeds } from './variant-feeds.ts'
import { baselineOf, checkPositions, checkVariants, isChanged } from './variants.ts'

/** Called between pieces of work with what comes next; throws when the job was cancelled. */
export type Pause = (stage: string, fraction: number) => Promise<void>

export interface InferenceState {
  readonly models: OpenModels
  readonly plans: CompiledPlans
  readonly budget: StageBudget
}

/** What of a job says which files to open and what to run through them. */
export type PreparedJob = Pick<InferenceJob, 'model' | 'saes' | 'prompt' | 'variants' | 'processing' | 'layerOrder' | 'cacheFolder'>

/** A job whose files are open and whose request is checked. */
export interface Prepared extends PromptTokens {
  readonly model: OpenModel
  readonly saes: readonly PlannedSae[]
  readonly stamp: string
}

/** Opens what a job names and checks it. Throws what is wrong with its files or its request. */
export async function prepare(job: PreparedJob, { models }: Pick<InferenceState, 'models'>): Promise<Prepared> {
  const reading = { processing: new Set(job.processing), layerOrder: job.layerOrder, hookMlpIn: job.saes.length > 0 }
  const model = await models.model(job.model, reading)
  const opened = await Promise.all(
    job.saes.map(async ({ name, path, ...options }) => {
      const { sae, stamp } = await models.sae(path, options, job.cacheFolder)
      return { stamp, planned: { name, ...attach(sae, model.hookPoints, model.name), sae, ...usesOf(name, job.variants) } }
    })
  )
  const saes = opened.map(({ planned }) => planned)
  checkVariants(job.variants, saes)
  const prompt = await runnablePrompt(job.prompt, model)
  checkPositions(job.variants, prompt.tokens.length)
  return { ...prompt, model, saes, stamp: [model.stamp, ...opened.map(({ stamp }) => stamp)].join('|') }
}

/** What variants do with an SAE. */
function usesOf(sae: string, variants: readonly Variant[]): Pick<PlannedSae, 'spliced' | 'edited' | 'steered'> {
  const edits = variants.flatMap(variant => variant.edits ?? []).filter(edit => edit.sae === sae)
  return {
    spliced: variants.some(({ splices }) => splices.some(splice => splice.sae === sae)),
    edited: edits.some(({ kind }) => kind !== 'steer'),
    steered: edits.some(({ kind }) => kind === 'steer')
  }
}

/** Whether a run writes whole logits. */
function savesLogits({ save }: InferenceJob): boolean {
  return save !== undefined && save.logits !== false
}

/** What a graph depends on of an SAE besides its files. */
export function saeKey({ name, hook, target, sae, spliced, edited, steered }: PlannedSae): unknown[] {
  return [name, hook, target, sae.path, sae.normFactor, sae.normalisation, spliced, edited, steered]
}

/** Everything the graphs depend on; equal keys mean equal graphs over unchanged files. */
function planKey(job: InferenceJob, { saes, stamp }: Prepared, changes: boolean, budget: StageBudget): unknown[] {
  const wants = [job.topK, job.topFeatures, changes, baselineOf(job.variants) !== null, job.hooks, job.save !== undefined]
  return ['run', stamp, saes.map(saeKey), wants, savesLogits(job), budget.blocks]
}

/** Runs a job. Throws what is wrong with its files or its request; nothing is written unless the whole run went well. */
export async function runJob(job: InferenceJob, state: InferenceState, pause: Pause): Promise<InferenceResult> {
  const started = performance.now()
  const prepared = await prepare(job, state)
  const { model, saes } = prepared
  const changes = job.variants.some(isChanged)
  const choice = chooseProvider(job.provider, job.precision)
  const loaded = performance.now()

  const baseline = baselineOf(job.variants)
  const capture = captureFilter(job, model.hookPoints, saes)
  const budget = job.save === undefined ? state.budget : { ...state.budget, blocks: blocksWithin(prepared, job.variants.length) }
  const request = (): PlanRequest => ({
    transformer: model.transformer,
    saes,
    capture,
    topK: Math.min(job.topK, model.transformer.shape.vocabulary),
    topFeatures: job.topFeatures,
    gainsFolded: job.processing.includes('fold_ln'),
    baseline: changes && baseline !== null,
    logits: savesLogits(job),
    budget
  })
  const key = planKey(job, prepared, changes, budget)
  const compile = (chosen: ProviderChoice) =>
    state.plans.get({ key, request, checkpoint: model.checkpoint }, chosen, (label, fraction) => pause(`opening ${label}`, fraction * 0.3))
  const { compiled, chosen, warning } = await compileOrFallBack(compile, choice)
  const ready = performance.now()

  const file = job.save === undefined ? null : await openFile(job.save.file, job, prepared, compiled)
  const outputs = new StageOutputs(prepared, job, budget, file === null ? noSink : sinkOf(file))
  let result: ReturnType<StageOutputs['result']>
  let finished: number
  try {
    await outputs.run(compiled, pause)
    result = outputs.result(baseline)
    finished = performance.now()
    await file?.finish(outputs.logits)
  } catch (thrown) {
    await file?.discard()
    throw thrown
  }
  return {
    model: { path: model.checkpoint.folder, name: model.name },
    ...promptOf(prepared),
    layerOrder: job.layerOrder,
    ...result,
    provider: chosen.provider,
    ...precisionOf(chosen),
    providerReason: chosen.reason,
    warnings: [
      ...prepared.warnings,
      ...(warning === null ? [] : [warning]),
      ...result.warnings,
      ...(chosen.precision === 'fp16' && result.warnings.length > 0 ? [narrowRange] : [])
    ],
    milliseconds: { load: loaded - started, compile: ready - loaded, run: finished - ready },
    mappedBytes: state.plans.mappedBytes
  }
}

/** Said beside numbers that are none, where they may be none for want of range. */
const narrowRange = 'in float16 a product beyond 65,504 is infinite: in float32 it may be a number'

/** What a result tells of its prompt. */
export function promptOf({ tokens, bosAdded, spans }: PromptTokens): Omit<PromptTokens, 'warnings'> {
  return { tokens, bosAdded, ...(spans === undefined ? {} : { spans }) }
}

function openFile(file: string, job: InferenceJob, { model, saes, tokens }: Prepared, { stages }: Compiled): Promise<ActivationFile> {
  const captures = stages.flatMap(({ stage }) => stage.captures)
  const vocabulary = savesLogits(job) ? model.transformer.shape.vocabulary : null
  return ActivationFile.create({ file, variants: job.variants, saes, positions: tokens.length, captures, vocabulary })
}

/** Takes the activations of each stage as it ends; those it does not want are not fetched. */
export interface ActivationSink {
  wants(capture: Capture): boolean
  take(activations: readonly KeptActivation[]): Promise<void>
}

export const noSink: ActivationSink = { wants: () => false, take: async () => undefined }

function sinkOf(file: ActivationFile): ActivationSink {
  return {
    wants: () => true,
    async take(activations) {
      for (const activation of activations) await file.write(activation)
    }
  }
}

/** What a result says of the type that a model's matrices were multiplied in: nothing where it is float32. */
export function precisionOf({ precision }: ProviderChoice): Pick<InferenceResult, 'precision'> {
  return precision === 'fp32' ? {} : { precision }
}

/** A provider that cannot run the graph gives way to the CPU, with a message. */
export async function compileOrFallBack<Sessions = Compiled>(
  compile: (choice: ProviderChoice) => Promise<Sessions>,
  choice: ProviderChoice
): Promise<{ compiled: Sessions; chosen: ProviderChoice; warning: string | null }> {
  try {
    return { compiled: await compile(choice), chosen: choice, warning: choice.warning ?? null }
  } catch (thrown) {
    const isProviders = thrown instanceof SpliceError && thrown.kind === 'inference/session' && choice.provider !== 'cpu'
    if (!isProviders) throw thrown
    const chosen: ProviderChoice = { ...cpu, reason: reasonOfStandIn(choice) }
    return { compiled: await compile(chosen), chosen, warning: `${chosen.reason}: ${thrown.message}` }
  }
}

/** Feeds the stages one after the other and collects what they give. */
export class StageOutputs {
  readonly #prepared: Prepared
  readonly #job: InferenceJob
  readonly #budget: StageBudget
  /** Whether each position counts in metrics. */
  readonly #measured: readonly boolean[]
  readonly #table: PredictionTable
  readonly #readings = new Map<string, SaeReadings>()
  readonly #sink: ActivationSink

  constructor(prepared: Prepared, job: InferenceJob, budget: StageBudget, sink: ActivationSink) {
    this.#sink = sink
    this.#budget = budget
    this.#prepared = prepared
    this.#job = job
    const { tokens, model } = prepared
    this.#measured = tokens.map(token => job.metricPositions === 'all' || !token.special)
    const { vocabulary } = model.transformer.shape
    this.#table = new PredictionTable(this.#measured, job.variants.length, job.topK, vocabulary, savesLogits(job))
  }

  get logits(): readonly Float32Array[] {
    return this.#table.logits
  }

  async #feeds(): Promise<Map<string, Tensor>> {
    const { Tensor } = await onnxRuntime()
    const { tokens, model, saes } = this.#prepared
    const { variants } = this.#job
    const ids = tokens.map(token => BigInt(token.id))
    const feeds = new Map<string, Tensor>([
      ['ids', new Tensor('int64', BigInt64Array.from(ids), [1, ids.length])],
      [predictionInputs.targets, new Tensor('int64', BigInt64Array.from([...ids.slice(1), 0n]), [ids.length])],
      [predictionInputs.baseline, new Tensor('int64', BigInt64Array.of(BigInt(baselineOf(variants) ?? 0)), [1])],
      ['measured', new Tensor('float32', Float32Array.from(this.#measured, Number), [1, tokens.length, 1])]
    ])
    for (const [name, { data, shape }] of model.transformer.positionInputs(0, tokens.length)) {
      feeds.set(name, new Tensor('float32', data, shape))
    }
    for (const [name, tensor] of await variantFeeds(saes, variants, () => tokens, { start: 0, length: tokens.length }))
      feeds.set(name, tensor)
    return feeds
  }

  async run(compiled: Compiled, pause: Pause): Promise<void> {
    const feeds = await this.#feeds()
    const count = compiled.stages.length
    for (const [index, { stage, session }] of compiled.stages.entries()) {
      await pause(stage.label, 0.3 + (0.7 * index) / count)
      if (stage.perPosition) {
        await this.#runByPosition(session, stage, feeds, pause)
        continue
      }
      const wanted = stage.captures.filter(capture => this.#sink.wants(capture))
      const outputs = await session.run(pick(feeds, stage.inputs), fetchesOf(stage, wanted))
      for (const [name, output] of stage.carries) {
        const carried = outputs[output]
        if (carried === undefined) continue
        feeds.set(name, carried)
        if (name === 'target') this.#table.setTargets(RowTensor.of(carried))
      }
      const activations = wanted.flatMap(capture => {
        const tensor = outputs[capture.output]
        return tensor === undefined ? [] : [{ ...capture, values: RowTensor.of(tensor) }]
      })
      await this.#sink.take(activations)
      for (const [name, measures] of stage.measures) {
        const width = this.#prepared.saes.find(planned => planned.name === name)?.sae.dOut ?? 0
        this.#readings.set(name, new SaeReadings(measures, outputs, this.#measured, width))
      }
      for (const piece of stage.pieces) this.#table.add(piece, outputs, 0, this.#prepared.tokens.length)
    }
  }

  /** A stage that reads `final` and `target` alone runs over a few positions at a time, so that its logits stay bounded. */
  async #runByPosition(session: StageSession, stage: Stage, feeds: ReadonlyMap<string, Tensor>, pause: Pause): Promise<void> {
    const length = this.#prepared.tokens.length
    for await (const { start, end, sliced } of inPositionRanges(feeds, this.#budget.rows)) {
      const outputs = await session.run(pick(sliced, stage.inputs), stage.outputs)
      for (const piece of stage.pieces) this.#table.add(piece, outputs, start, end)
      if (end < length) await pause(stage.label, 0.9)
    }
  }

  /** What an SAE measured, or undefined where its hook point was not reached. */
  readings(sae: string): SaeReadings | undefined {
    return this.#readings.get(sae)
  }

  result(baseline: number | null): Pick<InferenceResult, 'variants' | 'comparison' | 'saes' | 'warnings'> {
    const { saes, tokens, model } = this.#prepared
    const { variants } = this.#job
    const results = variants.map((variant, row) => this.#table.result(row, variant.name, id => model.vocabulary.token(id)))
    const lossOf = (row: number) => fromMaybeNumber(results[row]?.loss ?? null)
    const isCompared = variants.some(isChanged)
    const comparison = variants.flatMap((variant, row) => {
      if (baseline === null || row === baseline || !isCompared) return []
      return [this.#table.comparison(row, baseline, variant.name, { variant: lossOf(row), baseline: lossOf(baseline) })]
    })
    const broken = this.#table.positionsWithoutNumbers()
    const where = broken.slice(0, 8).map(position => `${position} (${tokens[position]?.text ?? ''})`)
    return {
      variants: results,
      comparison,
      saes: saes.map(({ name, hook, target, sae }) => ({
        name,
        hook,
        hookOut: sae.isTranscoder ? target : null,
        path: sae.path,
        normFactor: sae.normFactor,
        notes: [...sae.notes],
        byVariant: Object.fromEntries(
          variants.flatMap((variant, row) => {
            const reading = this.#readings.get(name)?.of(row)
            return reading === undefined ? [] : [[variant.name, reading]]
          })
        )
      })),
      warnings:
        broken.length === 0
          ? []
          : [
              `logits are not numbers at ${broken.length} positions, first at ${where.join(', ')}: the weights of ${model.name} hold NaN or infinities`
            ]
    }
  }
}

/** The outputs of a stage without those that are captured and not wanted now. */
function fetchesOf(stage: Stage, wanted: readonly Capture[]): string[] {
  const captured = new Set(stage.captures.map(capture => capture.output))
  const kept = new Set([...wanted.map(capture => capture.output), ...stage.carries.values()])
  return stage.outputs.filter(output => !captured.has(output) || kept.has(output))
}
