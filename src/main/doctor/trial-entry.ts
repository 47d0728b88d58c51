/**
 * A provider is tried in this process and nowhere else: `node trial-entry.ts webgpu` sends what came of it over IPC and ends. A driver
 * that crashes ends no more than this.
 */
import { provider } from '../../contract/run.ts'
import { plainReason } from '../inference/sessions.ts'
import { measureRate, tryProvider } from '../inference/trial.ts'
import type { TrialAnswer } from './trial.ts'

const name = provider.exclude(['auto']).parse(process.argv[2])

function send(answer: TrialAnswer): Promise<void> {
  return new Promise(resolve => process.send?.(answer, () => resolve()))
}

try {
  await send({ kind: 'works', ...(await tryProvider(name)) })
  await send({ kind: 'rate', gigaflops: await measureRate(name) })
} catch (thrown) {
  await send({ kind: 'fails', reason: plainReason(thrown instanceof Error ? thrown.message : String(thrown)) })
}
// Ending at once leaves out what a driver does in the end, which is no longer of interest.
process.exit(0)
