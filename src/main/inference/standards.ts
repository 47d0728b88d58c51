/** What this inference process runs with where a job leaves it open: the execution provider that `auto` is, its precision, the threads. */
import os from 'node:os'
import { z } from 'zod'
import { type Precision, type Provider, precision, provider } from '../../contract/run.ts'
import { availableProviders, cpu, type ProviderChoice, plainReason, standards } from './sessions.ts'
import { type Trial, tryProvider } from './trial.ts'

/** What the engine starts this process with. `refused` says of providers why they are not to be tried again. */
export const processChoice = z.object({
  provider: provider.default('auto'),
  precision: precision.default('fp32'),
  threads: z.int().min(1).nullable().default(null),
  refused: z.partialRecord(provider, z.string()).default({})
})
export type ProcessChoice = z.infer<typeof processChoice>

/** What came of it. `fellBack`: the CPU stands in for the provider that was chosen, or float32 for its float16. */
export interface ProcessStandards extends ProviderChoice {
  readonly fellBack: boolean
  readonly threads: number
  readonly providers: Provider[]
}

const chosen = 'chosen in the settings'

/** Settles what `auto` is here; a provider that does not start gives way to the CPU. */
export async function settleStandards({ provider: asked, precision: wanted, threads, refused }: ProcessChoice): Promise<ProcessStandards> {
  const processors = os.availableParallelism()
  standards.refused = refused
  standards.threads = threads === null ? null : Math.min(threads, processors)
  const providers = await availableProviders()
  const settled = { threads: standards.threads ?? processors, providers }
  const settle = (choice: ProviderChoice, fellBack: boolean): ProcessStandards => {
    standards.auto = choice
    return { ...choice, ...settled, fellBack }
  }
  const narrow = wanted === 'fp16' ? '; float16 is for GPUs, so it is in float32' : ''
  if (asked === 'auto') return settle({ ...standards.auto, reason: `${standards.auto.reason}${narrow}` }, false)
  if (asked === 'cpu') return settle({ ...cpu, reason: `${chosen}${narrow}` }, false)
  const trial = refused[asked] ?? (await tried(asked))
  if (typeof trial === 'string') return settle({ ...cpu, reason: `${asked} is chosen, but the CPU runs: ${trial}` }, true)
  const inForce: Precision = wanted === 'fp16' && trial.float16 ? 'fp16' : 'fp32'
  const reason = inForce === wanted ? chosen : `${chosen}; this device has no float16, so it is in float32`
  return settle({ provider: asked, precision: inForce, reason }, inForce !== wanted)
}

/** What a provider can do, or why it does not start. */
async function tried(name: ProviderChoice['provider']): Promise<Trial | string> {
  try {
    return await tryProvider(name)
  } catch (thrown) {
    return plainReason(thrown instanceof Error ? thrown.message : String(thrown))
  }
}
