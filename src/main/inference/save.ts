/** Which activations a run keeps, and writing them to a safetensors file with TransformerLens's names and shapes. */
import { SpliceError } from '../../contract/errors.ts'
import type { Variant } from '../../contract/run.ts'
import { type Float32Tensor, writeSafetensors } from '../checkpoint/safetensors-writer.ts'
import type { HookPoint } from '../transformer/model.ts'
import type { RowTensor } from './activation.ts'
import type { InferenceJob } from './messages.ts'
import type { Capture, CaptureFilter, PlannedSae } from './stage-graph.ts'

export interface KeptActivation extends Capture {
  readonly values: RowTensor
}

const saeHookParts = ['input', 'acts_pre', 'acts_post', 'recons', 'error', 'output'] as const

/** What to keep of a run. Throws `run/no-such-hook` for a name that no variant of this run has. */
export function captureFilter(job: InferenceJob, hookPoints: readonly HookPoint[], saes: readonly PlannedSae[]): CaptureFilter {
  const wanted = job.hooks
  const isSaved = job.save !== undefined
  if (wanted === 'none') return () => false
  if (wanted === 'all') return () => isSaved
  const known = new Set(hookPoints.map(point => point.name))
  for (const { hook, spliced } of saes) if (spliced) for (const part of saeHookParts) known.add(`${hook}.hook_sae_${part}`)
  const unknown = wanted.find(name => !known.has(name))
  if (unknown !== undefined) {
    throw new SpliceError('run/no-such-hook', `there is no hook point ${unknown} in this run`, {
      field: 'hooks',
      hint: 'Names are those of TransformerLens, such as blocks.0.hook_resid_post or blocks.0.hook_resid_post.hook_sae_acts_post.'
    })
  }
  const names = new Set(wanted)
  return name => isSaved && names.has(name)
}

/** Whether a variant's cache has the activation: a spliced hook point is replaced by its SAE's own, the error only exists with the error term. */
function has(variant: Variant, capture: Capture, hookOf: ReadonlyMap<string, string>): boolean {
  if (capture.sae === null) return !variant.splices.some(splice => hookOf.get(splice.sae) === capture.name)
  const splice = variant.splices.find(candidate => candidate.sae === capture.sae)
  return splice !== undefined && (splice.errorTerm || !capture.name.endsWith('.hook_sae_error'))
}

/** A batch dimension of 1 in front, unless the hook point's first axis is the batch already. */
function shapeWithBatch({ shape, values }: KeptActivation): number[] {
  return shape[0] === 'batch-position-head' ? [...values.shape] : [1, ...values.shape]
}

/** Writes `<variant>/<hook name>` and `<variant>/logits`, each with a batch dimension of 1. */
export async function saveActivations(
  file: string,
  activations: readonly KeptActivation[],
  logits: readonly Float32Array[],
  { job, saes, positions }: { job: InferenceJob; saes: readonly PlannedSae[]; positions: number }
): Promise<void> {
  const hookOf = new Map(saes.map(({ name, hook }) => [name, hook]))
  const tensors = job.variants.flatMap((variant, row): Float32Tensor[] => {
    const hooks = activations.filter(activation => has(variant, activation, hookOf))
    const whole = logits[row]
    return [
      ...hooks.map(hook => ({ name: `${variant.name}/${hook.name}`, shape: shapeWithBatch(hook), data: hook.values.row(row) })),
      ...(whole === undefined ? [] : [{ name: `${variant.name}/logits`, shape: [1, positions, whole.length / positions], data: whole }])
    ]
  })
  await writeSafetensors(file, tensors, { format: 'pt' })
}
