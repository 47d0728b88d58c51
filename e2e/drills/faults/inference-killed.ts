/** The inference process is killed, or aborts as native code does, at random moments of opening a model, of a run and of a continuation. */
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { demo } from '../../splice-command.ts'
import { type Drill, needsLinux } from '../drill.ts'
import { copyModel, demoRun, endsWell, longIds, runOn, Standing } from '../standing.ts'

const signals = ['SIGKILL', 'SIGABRT', 'SIGSEGV'] as const
const moments = ['load', 'run', 'generate'] as const

export const inferenceKilled: Drill = {
  name: 'inference-killed',
  fault: 'Inference process killed (SIGKILL, SIGABRT, SIGSEGV) while it opens a model, runs, generates',
  times: 36,
  quick: 2,
  unable: needsLinux,
  async open({ folder, random }) {
    const standing = await Standing.start(path.join(folder, 'home'))
    const model = copyModel(folder)
    return {
      async attempt(round) {
        const client = await standing.client()
        const moment = moments[round % moments.length]
        const signal = signals[Math.floor(round / moments.length + round) % signals.length]
        // A process that has opened nothing yet opens the model for this run.
        if (moment === 'load') await standing.restartInference()
        const { inference } = await standing.host.processes()
        const work =
          moment === 'generate'
            ? endsWell(generateOn(client), 'inference/died')
            : endsWell(runOn(client, demoRun({ ids: longIds, ...(moment === 'load' ? { model } : {}) })), 'inference/died')
        await wait(random() * (moment === 'load' ? 250 : 400))
        const searching = standing.searches()
        searching.catch(() => undefined)
        process.kill(inference, signal)
        await searching
        await work
        await standing.goesOn()
      },
      close: () => standing.close()
    }
  }
}

/** A continuation of some length, to its end. */
async function generateOn(client: Awaited<ReturnType<Standing['client']>>): Promise<void> {
  const events = await client.runs.generate({
    model: demo.model,
    prompt: { text: 'Once upon a time' },
    variants: [{ name: 'clean', splices: [] }],
    maxNewTokens: 60
  })
  for await (const _ of events);
}
