/** What this inference process runs with where a job leaves it open: the execution provider that `auto` is, and the number of threads. */
import os from 'node:os'
import { z } from 'zod'
import { type Provider, provider } from '../../contract/run.ts'
import { GraphBuilder } from '../onnx/graph.ts'
import { availableProviders, createSession, type ProviderChoice, standards } from './sessions.ts'

/** What the engine starts this process with. `refused` says why a provider that was chosen is not to be tried again. */
export const processChoice = z.object({
  provider: provider.default('auto'),
  threads: z.int().min(1).nullable().default(null),
  refused: z.string().nullable().default(null)
})
export type ProcessChoice = z.infer<typeof processChoice>

/** What came of it. `fellBack`: the CPU stands in for what was chosen. */
export interface ProcessStandards extends ProviderChoice {
  readonly fellBack: boolean
  readonly threads: number
  readonly providers: Provider[]
}

/** Opens a session that gives its input back: whether a provider starts on this machine. Throws `inference/session`. */
async function tryProvider(name: ProviderChoice['provider']): Promise<void> {
  const graph = new GraphBuilder()
  const input = graph.input('x', 'float32', [1])
  graph.output(graph.add(input, input))
  const session = await createSession(graph.encode(), name)
  await session.release()
}

/** Settles what `auto` is here; a provider that does not start gives way to the CPU. */
export async function settleStandards({ provider: asked, threads, refused }: ProcessChoice): Promise<ProcessStandards> {
  const processors = os.availableParallelism()
  standards.threads = threads === null ? null : Math.min(threads, processors)
  const providers = await availableProviders()
  const settled = { threads: standards.threads ?? processors, providers }
  const settle = (choice: ProviderChoice, fellBack: boolean): ProcessStandards => {
    standards.auto = choice
    return { ...choice, ...settled, fellBack }
  }
  if (asked === 'auto') return settle(standards.auto, false)
  if (asked === 'cpu') return settle({ provider: 'cpu', reason: 'chosen in the settings' }, false)
  const reason = refused ?? (await whyNot(asked))
  if (reason === null) return settle({ provider: asked, reason: 'chosen in the settings' }, false)
  return settle({ provider: 'cpu', reason: `${asked} is chosen, but the CPU runs: ${reason}` }, true)
}

async function whyNot(name: ProviderChoice['provider']): Promise<string | null> {
  try {
    await tryProvider(name)
    return null
  } catch (thrown) {
    return plainReason(thrown instanceof Error ? thrown.message : String(thrown))
  }
}

/** What a person can use of ONNX Runtime's message: a failed assertion has the place and the code of it before the reason. */
export function plainReason(message: string): string {
  return message.replace(/^.* was false\. /s, '').trim()
}
