/**
 * Sends the next positions of sequences through a plan that continues them: a prompt, of which all variants are rows, then a token of
 * each sequence at a time. What attention needs of earlier positions stays in a key-value cache.
 */
import type { Tensor } from 'onnxruntime-node'
import type { Token, Variant } from '../../contract/run.ts'
import { RowTensor } from './activation.ts'
import type { Compiled } from './compiled.ts'
import { keyPositionsInput } from './earlier-positions.ts'
import { pick } from './feeds.ts'
import { KeyValueCache } from './key-value-cache.ts'
import type { InferenceJob } from './messages.ts'
import type { PlanRequest } from './plan.ts'
import { compileOrFallBack, type InferenceState, type Pause, type Prepared, type PreparedJob, saeKey } from './run.ts'
import { chooseProvider, onnxRuntime, type ProviderChoice } from './sessions.ts'
import { variantFeeds } from './variant-feeds.ts'

/** An SAE's strongest features at one position of one row, strongest first; those that fired alone. */
export type StrongestFeatures = readonly { readonly index: number; readonly activation: number }[]

/** What came of the last position of each row. */
export interface PassResult {
  /** Logits [vocabulary] of a row. */
  logits(row: number): Float32Array
  strongest(sae: string, row: number): StrongestFeatures
}

/** Positions that a prompt's pass takes at a time, so that attention over a long prompt stays bounded. */
export const positionsAtOnce = 512

/** What is asked of sequences. */
export type SequenceJob = PreparedJob & Pick<InferenceJob, 'provider' | 'precision' | 'topFeatures'>

/** Compiles or finds the plan that continues a job's sequences. Throws what the runtime or `pause` throws. */
export async function openSequences(
  job: SequenceJob,
  prepared: Prepared,
  state: InferenceState,
  pause: Pause
): Promise<{ pass: SequencePass; chosen: ProviderChoice; warnings: string[] }> {
  const { model, saes, stamp } = prepared
  const request = (): PlanRequest => ({
    transformer: model.transformer,
    saes,
    capture: () => false,
    topK: 1,
    topFeatures: job.topFeatures,
    gainsFolded: job.processing.includes('fold_ln'),
    baseline: false,
    logits: false,
    predictions: 'next',
    continues: true,
    budget: state.budget
  })
  const { compiled, chosen, warning } = await compileOrFallBack(
    choice =>
      state.plans.get(
        { key: ['sequences', stamp, saes.map(saeKey), job.topFeatures], request, checkpoint: model.checkpoint },
        choice,
        (label, fraction) => pause(`opening ${label}`, fraction)
      ),
    chooseProvider(job.provider, job.precision)
  )
  const warnings = [...prepared.warnings, ...(warning === null ? [] : [warning])]
  return { pass: new SequencePass(prepared, compiled, job.variants.length), chosen, warnings }
}

export class SequencePass {
  readonly #prepared: Prepared
  readonly #compiled: Compiled
  readonly #cache: KeyValueCache
  #length = 0

  constructor(prepared: Prepared, compiled: Compiled, variants: number) {
    this.#prepared = prepared
    this.#compiled = compiled
    this.#cache = new KeyValueCache(variants)
  }

  /** Positions that every sequence has behind it. */
  get length(): number {
    return this.#length
  }

  /** The prompt, the same for every variant. */
  async prompt(tokens: readonly Token[], variants: readonly Variant[], pause: Pause): Promise<PassResult> {
    const expected = this.#compiled.stages.length * Math.ceil(tokens.length / positionsAtOnce)
    let begun = 0
    const between = (label: string) => {
      begun += 1
      return pause(`prompt, ${label}`, Math.min(1, begun / expected))
    }
    for (;;) {
      const chunk = tokens.slice(this.#length, this.#length + positionsAtOnce)
      const isLast = this.#length + chunk.length === tokens.length
      const result = await this.#run([chunk], variants, { isLast, readsSaes: false }, between)
      if (isLast) return result
    }
  }

  /** One token of each sequence; `variants` are those of the sequences. */
  async next(tokens: readonly Token[], variants: readonly Variant[], between: () => Promise<void>): Promise<PassResult> {
    return this.#run(
      tokens.map(token => [token]),
      variants,
      { isLast: true, readsSaes: true },
      between
    )
  }

  /** Makes sequence i what row `rows[i]` was. */
  select(rows: readonly number[]): void {
    this.#cache.select(rows)
  }

  async #feeds(rows: readonly (readonly Token[])[], variants: readonly Variant[]): Promise<Map<string, Tensor>> {
    const { Tensor } = await onnxRuntime()
    const { model, saes } = this.#prepared
    const length = rows[0]?.length ?? 0
    const [start, end] = [this.#length, this.#length + length]
    const ids = BigInt64Array.from(rows.flat(), token => BigInt(token.id))
    const feeds = new Map<string, Tensor>([
      ['ids', new Tensor('int64', ids, [rows.length, length])],
      ['measured', new Tensor('float32', new Float32Array(length).fill(1), [1, length, 1])],
      [
        keyPositionsInput,
        new Tensor(
          'float32',
          Float32Array.from({ length: end }, (_, position) => position),
          [end]
        )
      ]
    ])
    for (const [name, { data, shape }] of model.transformer.positionInputs(start, end)) feeds.set(name, new Tensor('float32', data, shape))
    const tokensOf = (row: number) => rows[rows.length === 1 ? 0 : row] ?? []
    for (const [name, tensor] of await variantFeeds(saes, variants, tokensOf, { start, length })) feeds.set(name, tensor)
    return feeds
  }

  async #run(
    rows: readonly (readonly Token[])[],
    variants: readonly Variant[],
    wants: { readonly isLast: boolean; readonly readsSaes: boolean },
    between: (label: string) => Promise<void>
  ): Promise<PassResult> {
    const feeds = await this.#feeds(rows, variants)
    const pieces: { start: number; logits: RowTensor }[] = []
    const features = new Map<string, { activations: RowTensor; indices: RowTensor }>()
    const appended: (() => void)[] = []
    for (const { stage, session } of this.#compiled.stages) {
      if (!wants.isLast && stage.cacheSlots.length === 0) break
      await between(stage.label)
      const inputs = new Map(feeds)
      for (const slot of stage.cacheSlots) for (const [name, tensor] of await this.#cache.feeds(slot)) inputs.set(name, tensor)
      const measures = wants.readsSaes ? [...stage.measures] : []
      const fetches = [
        ...stage.carries.values(),
        ...stage.cacheSlots.flatMap(slot => [slot.keys.output, slot.values.output]),
        ...stage.logitPieces.map(piece => piece.output),
        ...measures.flatMap(([, { strongest }]) => (strongest === null ? [] : [strongest.activations, strongest.indices]))
      ]
      const outputs = await session.run(pick(inputs, stage.inputs), fetches)
      for (const [name, output] of stage.carries) feeds.set(name, taken(outputs, output))
      for (const slot of stage.cacheSlots) appended.push(() => this.#cache.append(slot, outputs))
      for (const { start, output } of stage.logitPieces) pieces.push({ start, logits: RowTensor.of(taken(outputs, output)) })
      for (const [sae, { strongest }] of measures) {
        if (strongest === null) continue
        const [activations, indices] = [taken(outputs, strongest.activations), taken(outputs, strongest.indices)]
        features.set(sae, { activations: RowTensor.of(activations), indices: RowTensor.of(indices) })
      }
    }
    // A pass that is cancelled between its stages leaves the cache as it was.
    for (const append of appended) append()
    this.#length += rows[0]?.length ?? 0
    const { vocabulary } = this.#prepared.model.transformer.shape
    const { isCentred } = this.#prepared.model.transformer.unembedding
    return {
      logits(row) {
        const whole = new Float32Array(vocabulary)
        for (const { start, logits } of pieces) whole.set(logits.row(row), start)
        return isCentred ? centred(whole) : whole
      },
      strongest(sae, row) {
        const found = features.get(sae)
        if (found === undefined) return []
        const [activations, indices] = [found.activations.row(row), found.indices.row(row)]
        return Array.from(activations, (activation, place) => ({ index: indices[place] ?? 0, activation })).filter(
          feature => feature.activation > 0
        )
      }
    }
  }
}

function centred(logits: Float32Array): Float32Array {
  const mean = logits.reduce((sum, logit) => sum + logit, 0) / logits.length
  return logits.map(logit => logit - mean)
}

function taken(outputs: Readonly<Record<string, Tensor>>, name: string): Tensor {
  const tensor = outputs[name]
  if (tensor === undefined) throw new Error(`the session gave no ${name}`)
  return tensor
}
