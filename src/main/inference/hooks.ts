/**
 * Every cached hook point of a variant: its statistics, or one activation's values. The forward pass runs again with its
 * activations captured; those of a stage are reduced to numbers before the next stage begins.
 */
import { SpliceError } from '../../contract/errors.ts'
import type { ActivationWindow, CachedHook, HookTable } from '../../contract/hooks.ts'
import type { Variant } from '../../contract/run.ts'
import { axesOf, layoutOf, sizesOf, withBatch } from './activation-layout.ts'
import { differenceOf, magnitudesOf, statisticsOf } from './activation-statistics.ts'
import { windowOf } from './activation-window.ts'
import { blocksWithin } from './capture-budget.ts'
import type { KeptActivations, KeptValues } from './kept-activations.ts'
import type { HookJob, InferenceJob, WindowAnswer } from './messages.ts'
import type { PlanRequest } from './plan.ts'
import {
  type ActivationSink,
  compileOrFallBack,
  type InferenceState,
  type Pause,
  type Prepared,
  prepare,
  StageOutputs,
  saeKey
} from './run.ts'
import { hasActivation, type KeptActivation } from './save.ts'
import { chooseProvider } from './sessions.ts'

export interface HookState extends InferenceState {
  readonly kept: KeptActivations
}

/** The variants that take part, in rows of their own, and nothing that a run would measure besides. */
interface Work {
  readonly job: InferenceJob
  readonly prepared: Prepared
  readonly variant: Variant
  readonly against: Variant | null
  readonly targetOf: ReadonlyMap<string, string>
}

function variantOf(job: InferenceJob, name: string): Variant {
  const found = job.variants.find(variant => variant.name === name)
  if (found !== undefined) return found
  throw new SpliceError('hooks/no-such-variant', `this run has no variant ${name}`, {
    field: 'variant',
    hint: `Its variants: ${job.variants.map(variant => variant.name).join(', ')}.`
  })
}

async function begin({ job, variant: name, against: other }: HookJob, state: HookState): Promise<Work> {
  const variant = variantOf(job, name)
  const against = other === null || other === name ? null : variantOf(job, other)
  const narrowed: InferenceJob = { ...job, variants: against === null ? [variant] : [variant, against], topFeatures: 0, save: undefined }
  const prepared = await prepare(narrowed, state)
  return { job: narrowed, prepared, variant, against, targetOf: new Map(prepared.saes.map(({ name: sae, target }) => [sae, target])) }
}

/** Runs the stages up to the last one that has something wanted. */
async function capture({ job, prepared }: Work, state: HookState, pause: Pause, sink: ActivationSink): Promise<void> {
  const { model } = prepared
  const saes = prepared.saes.filter(sae => sae.spliced || sae.steered)
  const budget = { ...state.budget, blocks: blocksWithin({ ...prepared, saes }, job.variants.length) }
  const request = (): PlanRequest => ({
    transformer: model.transformer,
    saes,
    capture: () => true,
    topK: 1,
    topFeatures: 0,
    gainsFolded: job.processing.includes('fold_ln'),
    baseline: false,
    logits: false,
    predictions: 'none',
    budget
  })
  const key = ['hooks', prepared.stamp, saes.map(saeKey), budget.blocks]
  const { compiled } = await compileOrFallBack(
    choice =>
      state.plans.get({ key, request, checkpoint: model.checkpoint }, choice, (label, fraction) =>
        pause(`opening ${label}`, fraction * 0.3)
      ),
    chooseProvider(job.provider, job.precision)
  )
  const last = compiled.stages.findLastIndex(({ stage }) => stage.captures.some(sink.wants))
  const outputs = new StageOutputs({ ...prepared, saes }, job, budget, sink)
  await outputs.run({ ...compiled, stages: compiled.stages.slice(0, last + 1) }, pause)
}

/**
 * The same hook point in the variant that is compared with. Where another SAE stands there, what flows in and out can be
 * compared, its features cannot: they are others.
 */
function counterpart({ name, sae }: KeptActivation, stage: readonly KeptActivation[], { against, targetOf }: Work): KeptActivation | null {
  if (against === null) return null
  const isOfFeatures = /\.hook_sae_acts_(pre|post)$/.test(name)
  const found = stage.find(other => other.name === name && hasActivation(against, other, targetOf) && (other.sae === sae || !isOfFeatures))
  return found ?? null
}

function describe(activation: KeptActivation, values: Float32Array, other: Float32Array | null, positions: number): CachedHook {
  const { name, sae, shape } = activation
  return {
    name,
    sae,
    shape: withBatch(shape, sizesOf(shape, positions), 1),
    axes: withBatch(shape, axesOf(shape), 'batch' as const),
    bytes: values.byteLength,
    statistics: statisticsOf(values),
    difference: other === null ? null : differenceOf(values, other)
  }
}

/** Statistics of every hook point of a variant. Throws what is wrong with its files or its request. */
export async function listHooks(hookJob: HookJob, state: HookState, pause: Pause): Promise<HookTable> {
  const started = performance.now()
  const work = await begin(hookJob, state)
  const { prepared, variant, against, targetOf } = work
  const hooks: CachedHook[] = []
  await capture(work, state, pause, {
    wants: () => true,
    async take(stage) {
      for (const activation of stage) {
        if (!hasActivation(variant, activation, targetOf)) continue
        const other = counterpart(activation, stage, work)?.values.row(1) ?? null
        hooks.push(describe(activation, activation.values.row(0), other, prepared.tokens.length))
      }
    }
  })
  return {
    model: { path: prepared.model.checkpoint.folder, name: prepared.model.name },
    tokens: [...prepared.tokens],
    variant: variant.name,
    against: against?.name ?? null,
    hooks,
    replaced: variant.splices.flatMap(({ sae }) => {
      const name = targetOf.get(sae)
      return name === undefined ? [] : [{ name, sae }]
    }),
    milliseconds: performance.now() - started
  }
}

/** One activation of a variant, from those that are kept or computed now. Throws `run/no-such-hook` where the variant does not have it. */
export async function activationOf(hookJob: HookJob, hook: string, state: HookState, pause: Pause): Promise<KeptValues> {
  const work = await begin(hookJob, state)
  const { prepared, variant, against, targetOf, job } = work
  const { tokens, saes } = prepared
  const changes = [variant, against].map(each => [each?.splices ?? null, each?.edits ?? []])
  const key = JSON.stringify([prepared.stamp, saes.map(saeKey), tokens.map(token => token.id), changes, job.provider, hook])
  const kept = state.kept.get(key)
  if (kept !== null) return kept
  const found: KeptValues[] = []
  await capture(work, state, pause, {
    wants: candidate => candidate.name === hook,
    async take(stage) {
      const activation = stage.find(candidate => hasActivation(variant, candidate, targetOf))
      if (activation === undefined) return
      // Copies: what came out of the session holds every row, and goes with the stage.
      const values = activation.values.row(0).slice()
      const other = counterpart(activation, stage, work)?.values.row(1).slice() ?? null
      const sizes = sizesOf(activation.shape, tokens.length)
      const axes = axesOf(activation.shape)
      const special = tokens.map(token => token.special)
      const layout = layoutOf(sizes, axes, false, tokens.length)
      found.push({
        hook: describe(activation, values, other, tokens.length),
        positions: tokens.length,
        sizes,
        axes,
        values,
        other,
        magnitudes: magnitudesOf(values, layout, special, null),
        differenceMagnitudes: other === null ? null : magnitudesOf(values, layout, special, other)
      })
    }
  })
  const [computed] = found
  if (computed === undefined) {
    throw new SpliceError('run/no-such-hook', `variant ${variant.name} has no hook point ${hook}`, {
      field: 'hook',
      hint: "A spliced hook point is replaced by its SAE's own, and hook_sae_error exists with the error term alone."
    })
  }
  state.kept.put(key, computed)
  return computed
}

/** What a window shows of an activation. Throws `hooks/no-difference` where there is nothing to compare with. */
export function lookThrough(kept: KeptValues, window: ActivationWindow): WindowAnswer {
  if (window.difference && kept.other === null) {
    throw new SpliceError('hooks/no-difference', `the variant compared with has no ${kept.hook.name}`, {
      field: 'difference',
      hint: 'Show the values, or compare with another variant.'
    })
  }
  const layout = layoutOf(kept.sizes, kept.axes, window.byHead, kept.positions)
  const { planes, rows, columns } = layout
  return { whole: { planes, rows, columns }, ...windowOf(kept.values, window.difference ? kept.other : null, layout, window) }
}
