/**
 * SAELens's per-feature factor from finetuning: it multiplies activations before W_dec. Old SAEs carry one of all ones that
 * means nothing; one that means something counts only where the config says so.
 */
import { SpliceError } from '../../../contract/errors.ts'
import type { WeightEntry } from '../../checkpoint/weight-file.ts'
import type { Tensors } from './parts.ts'

/** As torch.allclose has it. */
const isOne = (value: number) => Math.abs(value - 1) <= 1e-8 + 1e-5

/**
 * The factor [dSae], or null where there is none or it is all ones. Throws `sae/scaling-factor` where it is not, although
 * the config does not say that the SAE was finetuned.
 */
export async function finetuningFactor(tensors: Tensors, dSae: number, isFinetuned: boolean): Promise<WeightEntry | null> {
  const entry = tensors.maybe([dSae], 'scaling_factor', 'finetuning_scaling_factor')
  if (entry === null || (await entry.values()).every(isOne)) return null
  if (isFinetuned) return entry
  throw new SpliceError('sae/scaling-factor', `${entry.file}: ${entry.name} is not all ones, but finetuning_scaling_factor is false`, {
    file: entry.file,
    field: entry.name,
    hint: 'Config and weights contradict each other; say finetuning_scaling_factor true if activations were scaled by it.'
  })
}
