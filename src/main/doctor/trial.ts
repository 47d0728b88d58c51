/** Has a provider tried by a process of its own. */
import { fork } from 'node:child_process'
import { z } from 'zod'
import type { TriedProvider } from '../../contract/doctor.ts'
import { processEntry } from '../engine/process-entry.ts'

/** What the trial's process says: whether the provider works, and then how fast it is. */
const trialAnswer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('works'), float16: z.boolean() }),
  z.object({ kind: z.literal('rate'), gigaflops: z.number() }),
  z.object({ kind: z.literal('fails'), reason: z.string() })
])
export type TrialAnswer = z.infer<typeof trialAnswer>

/** How long a trial may take, in ms, and its measurement after that: a driver may compile for long when it is first used. */
const patience = { works: 60_000, rate: 10_000 }

export type Trial = Omit<TriedProvider, 'remedy'>

/** Tries a provider. `environment` is added to this process's. Never throws. */
export function tryInProcess(provider: TriedProvider['provider'], environment: NodeJS.ProcessEnv = {}): Promise<Trial> {
  return new Promise(resolve => {
    const child = fork(processEntry('trial'), [provider], {
      execPath: process.execPath,
      execArgv: [],
      serialization: 'advanced',
      // What drivers print is not for the report's stdout, nor for its stderr.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { ...process.env, ...environment }
    })
    let trial: Trial | null = null
    const settle = (otherwise: Pick<Trial, 'state' | 'reason'>): void => {
      clearTimeout(timer)
      resolve(trial ?? { provider, ...otherwise, float16: false, gigaflops: null })
      child.kill('SIGKILL')
    }
    const wait = (milliseconds: number) =>
      setTimeout(() => settle({ state: 'silent', reason: `no answer within ${milliseconds / 1000} s` }), milliseconds)
    let timer = wait(patience.works)
    child.on('message', raw => {
      const answer = trialAnswer.parse(raw)
      if (answer.kind === 'fails') settle({ state: 'fails', reason: answer.reason })
      else if (answer.kind === 'rate') {
        if (trial !== null) trial = { ...trial, gigaflops: answer.gigaflops }
      } else {
        trial = { provider, state: 'works', reason: null, float16: answer.float16, gigaflops: null }
        clearTimeout(timer)
        timer = wait(patience.rate)
      }
    })
    child.on('error', error => settle({ state: 'fails', reason: error.message }))
    child.on('exit', (code, signal) => {
      // What ends a process while it is measured is not to be relied on.
      if (code !== 0) trial = null
      settle({ state: 'crashed', reason: `its process ended (${signal ?? `exit code ${code}`})` })
    })
  })
}
