/** What work on the mirror is given, besides the mirror. */
import { SpliceError } from '../../../contract/errors.ts'
import type { MirrorProgress } from '../../../contract/mirror.ts'

export interface JobControl {
  isCancelled(): boolean
  onProgress(progress: MirrorProgress): void
}

/** Throws `mirror/cancelled` where nobody wants the work any more; `so` says what became of what was done. */
export function throwIfCancelled({ isCancelled }: JobControl, what: string, so: string): void {
  if (isCancelled()) throw new SpliceError('mirror/cancelled', `the ${what} was cancelled; ${so}`, { mistake: false })
}
