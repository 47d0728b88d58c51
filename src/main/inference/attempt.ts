/** A job that fails for want of memory says so; one that fails on a device is done by the CPU instead. */
import { SpliceError } from '../../contract/errors.ts'
import type { Precision, Provider } from '../../contract/run.ts'
import { isOutOfMemory, type MemoryNeed, memoryError } from './memory.ts'
import { chooseProvider, plainReason, type Target } from './sessions.ts'
import { standIn } from './stand-in.ts'

/** What is known of a job when it fails. */
export interface Attempted {
  readonly provider: Provider
  readonly precision?: Precision | undefined
  /** Whether nothing of it was told yet, so that it may begin again. */
  mayRepeat(): boolean
  /** What it needs; may throw. */
  need(target: Target): Promise<MemoryNeed | null>
}

/** Why the CPU runs what a provider could not. */
export function reasonOfStandIn({ provider }: Pick<Target, 'provider'>): string {
  return `${provider} could not run this, so the CPU does`
}

/** Does a job's work. Throws what it throws, `inference/memory` for want of memory, `inference/precision` where a device has no float16. */
export async function attempt<Result>(work: () => Promise<Result>, job: Attempted): Promise<Result> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof SpliceError) throw thrown
    const choice = chooseProvider(job.provider, job.precision)
    if (isOutOfMemory(thrown)) throw memoryError(await job.need(choice).catch(() => null), choice, thrown)
    if (choice.provider === 'cpu') throw thrown
    const said = plainReason(thrown instanceof Error ? thrown.message : String(thrown))
    if (choice.precision === 'fp16' && /f(loat)?16/i.test(said)) {
      throw new SpliceError('inference/precision', `this machine's ${choice.provider} device does not compute in float16: ${said}`, {
        field: 'precision',
        hint: 'Leave --precision out; splice doctor tells which devices have float16.'
      })
    }
    if (!job.mayRepeat()) {
      throw new SpliceError('inference/session', `${choice.provider} failed: ${said}`, {
        hint: 'Run on the CPU: --provider cpu, or in Settings.',
        mistake: false,
        cause: thrown
      })
    }
    const reason = reasonOfStandIn(choice)
    return standIn.run({ reason, warning: `${reason}: ${said}` }, work)
  }
}
