/** The inference process hangs at a random moment of a run: searches go on, cancelling ends the run, the next one works. */
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type Drill, needsLinux } from '../drill.ts'
import { demoRun, endsWell, longIds, runOn, Standing } from '../standing.ts'

export const inferenceHangs: Drill = {
  name: 'inference-hangs',
  fault: 'Inference process hangs (SIGSTOP) in a run, which is then cancelled',
  times: 15,
  quick: 0,
  unable: needsLinux,
  async open({ folder, random }) {
    const standing = await Standing.start(path.join(folder, 'home'))
    return {
      async attempt() {
        const { inference } = await standing.host.processes()
        const abort = new AbortController()
        const work = endsWell(runOn(await standing.client(), demoRun({ ids: longIds }), { signal: abort.signal }), 'run/cancelled', 'lost')
        await wait(random() * 300)
        process.kill(inference, 'SIGSTOP')
        await standing.searches()
        abort.abort()
        await work
        try {
          // It was kept where the run had ended before it hung.
          process.kill(inference, 'SIGCONT')
        } catch {
          // Cancelling has ended it.
        }
        await standing.goesOn()
      },
      close: () => standing.close()
    }
  }
}
