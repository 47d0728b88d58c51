/** The rows of a pass: which ways its sequences are run, each way once, and where it splices. */
import type { SplicePositions } from '../../contract/run.ts'
import type { Pass } from '../corpus/passes.ts'
import type { EvaluationJob } from '../inference/evaluation-messages.ts'
import type { RowRoles } from './sequence-numbers.ts'

/** What decides where rows splice. */
export interface RowChoice {
  readonly isSpecial: (id: number) => boolean
  /** Where the textbook's splice and ablation stand in. */
  readonly positions: SplicePositions
  /** The hook point that is spliced. */
  readonly target: string
}

/** The readings of feature counts, in the order of `counted`: all tokens, and those that are not special. */
export const readings = ['all', 'excluding'] as const

/**
 * SAELens leaves special tokens alone where they are excluded, but not at hook points with heads, whose hooks take no mask
 * (sae_lens 6.18, `get_recons_loss`).
 */
function leavesSpecialAlone(target: string): boolean {
  return !/hook_[qkvz]/.test(target)
}

type Mask = (id: number, place: number) => boolean

function textbookMask({ positions, isSpecial }: RowChoice): Mask {
  if (positions === 'all') return () => true
  if (positions === 'no-special') return id => !isSpecial(id)
  return (_id, place) => positions.some(([start, end]) => place >= start && place < end)
}

/** A pass's ids, its rows and what they are for. `sequences` are those of the pass, in its order. */
export function arrangePass(
  sequences: readonly (readonly number[])[],
  { length }: Pick<Pass, 'length'>,
  choice: RowChoice
): Pick<EvaluationJob, 'ids' | 'length' | 'rows' | 'counted'> & { roles: RowRoles } {
  const positions = sequences.length * length
  const ids = new Int32Array(positions)
  const counted = new Float32Array(readings.length * positions)
  const rows: EvaluationJob['rows'] = []

  /** What stands behind a sequence's end is as it is in no row and counts nowhere. */
  function rowOf(zero: boolean, covers: Mask): number {
    const mask = new Uint8Array(positions)
    for (const [row, sequence] of sequences.entries()) {
      for (const [place, id] of sequence.entries()) mask[row * length + place] = Number(covers(id, place))
    }
    const isClean = !mask.includes(1)
    const same = rows.findIndex(other => (isClean || other.zero === zero) && Buffer.compare(other.mask, mask) === 0)
    if (same !== -1) return same
    rows.push({ zero: zero && !isClean, mask })
    return rows.length - 1
  }

  for (const [row, sequence] of sequences.entries()) {
    ids.set(sequence, row * length)
    for (const [place, id] of sequence.entries()) {
      counted[row * length + place] = 1
      counted[positions + row * length + place] = choice.isSpecial(id) ? 0 : 1
    }
  }
  const everywhere = () => true
  const textbook = textbookMask(choice)
  const excluding: Mask = leavesSpecialAlone(choice.target) ? id => !choice.isSpecial(id) : everywhere
  const roles = {
    clean: rowOf(false, () => false),
    spliced: rowOf(false, textbook),
    zeroed: rowOf(true, textbook),
    splicedAll: rowOf(false, everywhere),
    splicedExcluding: rowOf(false, excluding),
    zeroedAll: rowOf(true, everywhere)
  }
  return { ids, length, rows, counted, roles }
}
