/** Continues a prompt under several variants: token by token, each variant with its own, every splice in force all along. */
import { SpliceError } from '../../contract/errors.ts'
import type { GeneratedToken } from '../../contract/generation.ts'
import { toMaybeNumber } from '../../contract/numbers.ts'
import type { Token, Variant } from '../../contract/run.ts'
import type { GenerationJob, GenerationStep, InferredContinuation, InferredFeatures, InferredGeneration } from './messages.ts'
import type { OpenModel } from './models.ts'
import { type InferenceState, type Pause, type Prepared, prepare, promptOf } from './run.ts'
import { largest, logSumExp, type Randomness, randomnessOf, rankOf, sampleToken } from './sampling.ts'
import { openSequences, type PassResult } from './sequence-pass.ts'
import { stopTokens } from './stop-tokens.ts'

/** Hears of each step: the tokens that were picked, then the features that fired at them. */
export type OnStep = (step: GenerationStep) => void

/** One continuation while it is written. */
class Sequence {
  readonly variant: Variant
  readonly row: number
  readonly sample: number
  readonly tokens: GeneratedToken[] = []
  readonly features: (InferredFeatures | null)[] = []
  ending: InferredContinuation['ending'] | null = null
  readonly random: Randomness
  /** How often each token stands in the prompt and behind it. */
  readonly counts = new Map<number, number>()

  constructor(variant: Variant, row: number, sample: number, seed: number, prompt: readonly Token[]) {
    this.variant = variant
    this.row = row
    this.sample = sample
    // The same in every variant, so that what differs is the splice's doing.
    this.random = randomnessOf((seed + sample * 0x9e3779b1) | 0)
    for (const { id } of prompt) this.count(id)
  }

  get key(): { variant: string; sample: number } {
    return { variant: this.variant.name, sample: this.sample }
  }

  count(id: number): void {
    this.counts.set(id, (this.counts.get(id) ?? 0) + 1)
  }
}

/** Bytes that the key-value cache of all sequences takes when each has `length` positions. */
export function cacheBytes({ shape }: OpenModel['transformer'], sequences: number, length: number): number {
  return shape.layers * 2 * shape.keyValueHeads * shape.dHead * 4 * sequences * length
}

/** Throws `generate/no-room` where the model's context, or the memory, has no place for what is asked. */
function requireRoom(job: GenerationJob, { model, tokens }: Prepared): void {
  const { context } = model.transformer.shape
  if (tokens.length >= context) {
    throw new SpliceError('generate/no-room', `the prompt has ${tokens.length} tokens, and ${model.name}'s context of ${context} is full`, {
      field: 'prompt',
      hint: `Shorten it by ${tokens.length - context + 1} tokens or more.`
    })
  }
  const sequences = job.variants.length * job.samples
  const bytes = cacheBytes(model.transformer, sequences, Math.min(context, tokens.length + job.maxNewTokens))
  const free = process.availableMemory()
  if (bytes <= free) return
  const gigabytes = (value: number) => `${(value / 1e9).toFixed(1)} GB`
  throw new SpliceError(
    'generate/no-room',
    `keys and values of ${sequences} continuations would take ${gigabytes(bytes)}, and ${gigabytes(free)} of memory are free`,
    { field: 'maxNewTokens', hint: 'Ask for fewer new tokens, samples or variants.' }
  )
}

/** The token that a sequence goes on with. Throws `generate/not-a-number`. */
function pickToken(sequence: Sequence, logits: Float32Array, job: GenerationJob, { vocabulary, name }: OpenModel): GeneratedToken {
  const total = logSumExp(logits)
  if (Number.isNaN(total)) {
    const after = sequence.tokens.length === 0 ? 'the prompt' : `${sequence.tokens.length} new tokens`
    throw new SpliceError('generate/not-a-number', `variant ${sequence.variant.name}: ${name}'s logits after ${after} are not numbers`, {
      hint: 'A run of the same text shows where the first of them appears, in the Hooks view.'
    })
  }
  const id = sampleToken(logits, job.sampling, sequence.counts, sequence.random)
  const logit = logits[id] ?? Number.NaN
  return {
    ...vocabulary.token(id),
    logProb: toMaybeNumber(logit - total),
    rank: rankOf(logits, id),
    top: largest(logits, job.topK).map(({ value, place }) => ({
      id: place,
      text: vocabulary.token(place).text,
      logit: toMaybeNumber(value),
      logProb: toMaybeNumber(value - total)
    }))
  }
}

function featuresAt(result: PassResult, row: number, saes: Prepared['saes']): InferredFeatures {
  return Object.fromEntries(
    saes.map(({ name }) => [
      name,
      result.strongest(name, row).map(({ index, activation }) => ({ index, activation: toMaybeNumber(activation) }))
    ])
  )
}

/**
 * Continues a job's prompt. Throws what is wrong with its files or its request, `generate/no-room`, `generate/not-a-number`, and
 * what `pause` throws.
 */
export async function generate(job: GenerationJob, state: InferenceState, pause: Pause, onStep: OnStep): Promise<InferredGeneration> {
  const started = performance.now()
  const prepared = await prepare(job, state)
  const { model, saes, tokens: prompt } = prepared
  requireRoom(job, prepared)
  const stops = job.stopAtEos ? await stopTokens(model.checkpoint.folder, model.transformer.eosIds) : new Set<number>()
  const loaded = performance.now()
  const { pass, chosen, warnings } = await openSequences(job, prepared, state, (stage, fraction) => pause(stage, fraction * 0.1))
  const ready = performance.now()

  let result = await pass.prompt(prompt, job.variants, (stage, fraction) => pause(stage, 0.1 + 0.2 * fraction))
  const prompted = performance.now()

  const sequences = job.variants.flatMap((variant, row) =>
    Array.from({ length: job.samples }, (_, sample) => new Sequence(variant, row, sample, job.seed, prompt))
  )
  const { context } = model.transformer.shape
  const readsSaes = saes.length > 0 && job.topFeatures > 0
  let running: readonly Sequence[] = sequences
  let rowOf = (index: number) => running[index]?.row ?? 0
  pass.select(running.map(sequence => sequence.row))
  for (let step = 0; running.length > 0; step++) {
    const picked = running.map((sequence, index) => {
      const token = pickToken(sequence, result.logits(rowOf(index)), job, model)
      sequence.tokens.push(token)
      sequence.count(token.id)
      if (stops.has(token.id)) sequence.ending = 'eos'
      else if (sequence.tokens.length === job.maxNewTokens) sequence.ending = 'length'
      else if (pass.length + 1 >= context) sequence.ending = 'context'
      return { ...sequence.key, token, ending: sequence.ending }
    })
    onStep({ type: 'tokens', step, tokens: picked })
    const goesOn = running.some(sequence => sequence.ending === null)
    if (!goesOn && !readsSaes) {
      for (const sequence of running) sequence.features.push(null)
      break
    }
    const passed = running
    result = await pass.next(
      picked.map(({ token }) => token),
      passed.map(sequence => sequence.variant),
      () => pause(`token ${step + 1}`, 0.3 + (0.7 * (step + 1)) / job.maxNewTokens)
    )
    for (const [row, sequence] of passed.entries()) sequence.features.push(readsSaes ? featuresAt(result, row, saes) : null)
    if (readsSaes) {
      const features = passed.map(sequence => ({ ...sequence.key, features: sequence.features.at(-1) ?? {} }))
      onStep({ type: 'features', step, features })
    }
    // Those that ended leave the batch; the others keep their rows' places in this step's logits.
    const rows = passed.flatMap((sequence, row) => (sequence.ending === null ? [row] : []))
    running = passed.filter(sequence => sequence.ending === null)
    rowOf = index => rows[index] ?? 0
    if (rows.length < passed.length) pass.select(rows)
  }
  const finished = performance.now()

  return {
    model: { path: model.checkpoint.folder, name: model.name },
    ...promptOf(prepared),
    layerOrder: job.layerOrder,
    provider: chosen.provider,
    providerReason: chosen.reason,
    warnings,
    saes: saes.map(({ name, hook, target, sae }) => ({ name, hook, hookOut: sae.isTranscoder ? target : null, path: sae.path })),
    continuations: sequences.map(({ key, tokens, features, ending }) => ({
      ...key,
      text: model.vocabulary.continuationText(prompt, tokens),
      tokens,
      features,
      ending: ending ?? 'length'
    })),
    seed: job.seed,
    milliseconds: { load: loaded - started, compile: ready - loaded, prompt: prompted - ready, generate: finished - prompted },
    mappedBytes: state.plans.mappedBytes
  }
}
