/** Which activations a run keeps, and which of them a variant has. */
import { SpliceError } from '../../contract/errors.ts'
import type { Variant } from '../../contract/run.ts'
import type { HookPoint } from '../transformer/model.ts'
import type { RowTensor } from './activation.ts'
import type { InferenceJob } from './messages.ts'
import { type Capture, type CaptureFilter, type PlannedSae, transcoderPrefix } from './stage-graph.ts'

export interface KeptActivation extends Capture {
  readonly values: RowTensor
}

/** The activations that a splice adds, by their names. */
function splicedNames(planned: PlannedSae, saes: readonly PlannedSae[]): string[] {
  const shared = ['input', 'acts_pre', 'acts_post', 'recons'].map(part => `${planned.hook}.hook_sae_${part}`)
  if (!planned.sae.isTranscoder) return [...shared, `${planned.hook}.hook_sae_error`, `${planned.hook}.hook_sae_output`]
  const skip = planned.sae.weights.skip === null ? [] : ['skip']
  return [...shared, ...[...skip, 'output', 'target', 'error'].map(part => `${transcoderPrefix(planned, saes)}.${part}`)]
}

/** What to keep of a run. Throws `run/no-such-hook` for a name that no variant of this run has. */
export function captureFilter(job: InferenceJob, hookPoints: readonly HookPoint[], saes: readonly PlannedSae[]): CaptureFilter {
  const wanted = job.hooks
  const isSaved = job.save !== undefined
  if (wanted === 'none') return () => false
  if (wanted === 'all') return () => isSaved
  const known = new Set(hookPoints.map(point => point.name))
  for (const planned of saes) if (planned.spliced) for (const name of splicedNames(planned, saes)) known.add(name)
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
export function hasActivation(variant: Variant, capture: Capture, targetOf: ReadonlyMap<string, string>): boolean {
  if (capture.sae === null) return !variant.splices.some(splice => targetOf.get(splice.sae) === capture.name)
  const splice = variant.splices.find(candidate => candidate.sae === capture.sae)
  return splice !== undefined && (splice.errorTerm || !/\.(hook_sae_error|error)$/.test(capture.name))
}
