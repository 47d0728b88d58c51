/**
 * Exact attribution: features of an SAE are ablated, each in a row of its own, and a quantity is read from every row. All before the
 * splice runs once; batches of rows run what is behind it. Nothing but the quantity is kept of a batch.
 */
import type { Tensor } from 'onnxruntime-node'
import { SpliceError } from '../../contract/errors.ts'
import { toMaybeNumber } from '../../contract/numbers.ts'
import type { Token, Variant } from '../../contract/run.ts'
import { ablatedVariant, type Candidate, Candidates, chooseCandidates } from './ablations.ts'
import { RowTensor } from './activation.ts'
import type { Compiled, CompiledStage } from './compiled.ts'
import { pick } from './feeds.ts'
import type { AttributionJob, InferredAttribution } from './messages.ts'
import type { PlanRequest } from './plan.ts'
import { neededTokens, QuantityReader, resolveQuantity } from './quantity.ts'
import { rowsOfBatch } from './row-batches.ts'
import { compileOrFallBack, type InferenceState, type Pause, type Prepared, prepare, promptOf, saeKey } from './run.ts'
import { chooseProvider, onnxRuntime } from './sessions.ts'
import { variantFeeds } from './variant-feeds.ts'

/** Throws `run/target` for features that the SAE does not have. */
function checkFeatures({ sae, features = [], groups }: AttributionJob, dSae: number): void {
  for (const [field, named] of [['features', features] as const, ...groups.map(group => ['groups', group.features] as const)]) {
    const outside = named.find(index => index >= dSae)
    if (outside === undefined) continue
    throw new SpliceError('run/target', `feature ${outside} is none of the ${dSae} of ${sae.name}`, {
      field,
      hint: `The last one is ${dSae - 1}.`
    })
  }
}

/** Attributes a quantity to features. Throws what is wrong with the job's files or its request, and what `pause` throws. */
export async function attribute(job: AttributionJob, state: InferenceState, pause: Pause): Promise<InferredAttribution> {
  const started = performance.now()
  const { sae, quantity: asked, ...choice } = job
  const clean: Variant = { name: 'clean', splices: [] }
  const base = { ...ablatedVariant(sae.name, [], choice), name: 'base' }
  const some = ablatedVariant(sae.name, [{ index: 0, position: null }], choice)
  const prepared = await prepare({ ...job, saes: [sae], variants: [clean, base, some] }, state)
  const { model, saes, tokens: whole } = prepared
  const [planned] = saes
  if (planned === undefined) throw new Error('an attribution has one SAE')
  checkFeatures(job, planned.sae.dSae)
  const quantity = resolveQuantity(asked, whole, model)
  const tokens = whole.slice(0, neededTokens(quantity, whole))
  const reads: NonNullable<PlanRequest['attributes']> = quantity.kind === 'loss' ? 'all' : 'last'
  const request = (): PlanRequest => ({
    transformer: model.transformer,
    saes,
    capture: () => false,
    topK: 0,
    topFeatures: 0,
    gainsFolded: job.processing.includes('fold_ln'),
    baseline: quantity.kind === 'kl',
    logits: false,
    attributes: reads,
    budget: state.budget
  })
  const { compiled, chosen, warning } = await compileOrFallBack(
    choice =>
      state.plans.get(
        { key: ['attribution', prepared.stamp, saes.map(saeKey), quantity.kind === 'kl', reads], request, checkpoint: model.checkpoint },
        choice,
        (label, fraction) => pause(`opening ${label}`, fraction * 0.05)
      ),
    chooseProvider(job.provider, job.precision)
  )
  const opened = performance.now()
  const reader = new QuantityReader(
    quantity,
    whole,
    compiled.stages.filter(({ stage }) => stage.perPosition),
    state.budget.rows
  )
  const pass = new AblationPass(prepared, tokens, compiled, reader)
  const acts = await pass.prefix(label => pause(label, 0.05))
  const computed = performance.now()

  const candidates = new Candidates(acts, tokens, choice)
  const { chosen: singles, active } = chooseCandidates(candidates, choice)
  const most = Math.min(job.pairs, singles.length)
  const total = 2 + singles.length + job.groups.length + (most * (most - 1)) / 2
  const batch = { rows: job.batchRows ?? rowsOfBatch(model, tokens.length), done: 0, total, pause }
  const ablated = (members: readonly Pick<Candidate, 'index' | 'position'>[]) => ablatedVariant(sae.name, members, choice)
  const groups = job.groups.map(({ features }) => ({ ...ablated(features.map(index => ({ index, position: null }))) }))
  const first = await pass.run([clean, base, ...singles.map(each => ablated([each])), ...groups], batch)
  const [cleanValue = Number.NaN, baseValue = Number.NaN, ...rest] = first
  const effects = singles
    .map((single, place) => ({ ...single, effect: (rest[place] ?? Number.NaN) - baseValue }))
    .sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect) || b.activation - a.activation || a.index - b.index)
  const leading = effects.slice(0, most)
  const pairs = leading.flatMap((one, place) => leading.slice(place + 1).map(other => [one, other] as const))
  const pairValues = await pass.run(pairs.map(ablated), batch)

  return {
    model: { path: model.checkpoint.folder, name: model.name },
    ...promptOf(prepared),
    warnings: [...prepared.warnings, ...(warning === null ? [] : [warning])],
    sae: {
      name: sae.name,
      path: planned.sae.path,
      hook: planned.hook,
      hookOut: planned.sae.isTranscoder ? planned.target : null,
      dSae: planned.sae.dSae
    },
    quantity,
    scope: job.scope,
    errorTerm: job.errorTerm,
    splicePositions: job.positions,
    countSpecial: job.countSpecial,
    base: toMaybeNumber(baseValue),
    clean: toMaybeNumber(cleanValue),
    active,
    effects: effects.map(({ index, position, activation, effect }) => ({
      index,
      position,
      activation: toMaybeNumber(activation),
      effect: toMaybeNumber(effect)
    })),
    groups: job.groups.map((group, place) => ({
      ...group,
      effect: toMaybeNumber((rest[singles.length + place] ?? Number.NaN) - baseValue)
    })),
    pairs: pairs
      .map(([one, other], place) => ({ one, other, effect: (pairValues[place] ?? Number.NaN) - baseValue }))
      .sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect))
      .map(({ one, other, effect }) => ({
        first: { index: one.index, position: one.position },
        second: { index: other.index, position: other.position },
        effect: toMaybeNumber(effect),
        interaction: toMaybeNumber(effect - one.effect - other.effect)
      })),
    layerOrder: job.layerOrder,
    provider: chosen.provider,
    providerReason: chosen.reason,
    rows: batch.done,
    batches: pass.batches,
    milliseconds: { open: opened - started, prefix: computed - opened, rows: performance.now() - computed },
    mappedBytes: state.plans.mappedBytes
  }
}

/** How rows are batched, and how many are done of all. */
interface Batch {
  readonly rows: number
  done: number
  readonly total: number
  readonly pause: Pause
}

/** Runs the stages before the splice once, and those behind it for every batch of rows. */
class AblationPass {
  readonly #prepared: Prepared
  readonly #tokens: readonly Token[]
  readonly #shared: readonly CompiledStage[]
  readonly #parted: readonly CompiledStage[]
  readonly #reader: QuantityReader
  /** What the shared stages were fed and handed over. */
  readonly #feeds = new Map<string, Tensor>()
  #hasClean = false
  batches = 0

  constructor(prepared: Prepared, tokens: readonly Token[], { stages }: Compiled, reader: QuantityReader) {
    this.#prepared = prepared
    this.#tokens = tokens
    this.#reader = reader
    const blocks = stages.filter(({ stage }) => !stage.perPosition)
    this.#shared = blocks.filter(({ stage }) => !stage.isParted)
    this.#parted = blocks.filter(({ stage }) => stage.isParted)
  }

  /** Gives the SAE's activations, [1, position, dSae]. */
  async prefix(pause: (label: string) => Promise<void>): Promise<RowTensor> {
    const { Tensor } = await onnxRuntime()
    const length = this.#tokens.length
    this.#feeds.set(
      'ids',
      new Tensor(
        'int64',
        BigInt64Array.from(this.#tokens, ({ id }) => BigInt(id)),
        [1, length]
      )
    )
    for (const [name, { data, shape }] of this.#prepared.model.transformer.positionInputs(0, length)) {
      this.#feeds.set(name, new Tensor('float32', data, shape))
    }
    let acts: Tensor | undefined
    for (const { stage, session } of this.#shared) {
      await pause(stage.label)
      const outputs = await session.run(pick(this.#feeds, stage.inputs), stage.outputs)
      for (const [name, output] of stage.carries) this.#carry(name, outputs[output])
      for (const output of stage.activations.values()) acts = outputs[output]
      session.letGo()
    }
    if (acts === undefined) throw new Error('no stage gave the activations of the SAE')
    return RowTensor.of(acts)
  }

  #carry(name: string, tensor: Tensor | undefined): void {
    if (tensor === undefined) throw new Error(`a stage did not hand over ${name}`)
    this.#feeds.set(name, tensor)
  }

  /** The quantity of each variant, in their order, batch by batch. The first variant of all is the clean one. */
  async run(variants: readonly Variant[], batch: Batch): Promise<number[]> {
    const values: number[] = []
    for (let start = 0; start < variants.length; start += batch.rows) {
      const rows = variants.slice(start, start + batch.rows)
      const pause = (label: string) =>
        batch.pause(`${Math.min(batch.done, batch.total)} of ${batch.total} rows, ${label}`, 0.05 + (0.95 * batch.done) / batch.total)
      const final = await this.#final(rows, pause)
      if (!this.#hasClean) {
        this.#reader.setClean(final, 0)
        this.#hasClean = true
      }
      values.push(...(await this.#reader.read(final, pause)))
      batch.done += rows.length
      this.batches += 1
    }
    return values
  }

  async #final(variants: readonly Variant[], pause: (label: string) => Promise<void>): Promise<Tensor> {
    const positions = { start: 0, length: this.#tokens.length }
    const feeds = new Map(this.#feeds)
    for (const [name, tensor] of await variantFeeds(this.#prepared.saes, variants, () => this.#tokens, positions)) feeds.set(name, tensor)
    for (const { stage, session } of this.#parted) {
      await pause(stage.label)
      const outputs = await session.run(pick(feeds, stage.inputs), stage.outputs)
      for (const [name, output] of stage.carries) {
        const tensor = outputs[output]
        if (tensor === undefined) throw new Error(`a stage did not hand over ${name}`)
        feeds.set(name, tensor)
      }
    }
    const final = feeds.get('final')
    if (final !== undefined) return final
    throw new SpliceError('run/target', `${this.#prepared.saes[0]?.name ?? 'the SAE'} is spliced behind all that is predicted`, {
      field: 'sae'
    })
  }
}
