/** Fifty runs, each cancelled a moment after it was asked for. */
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { type Drill, needsLinux } from '../drill.ts'
import { demoRun, endsWell, longIds, runOn, Standing } from '../standing.ts'

export const fiftyCancels: Drill = {
  name: 'fifty-cancels',
  fault: '50 runs cancelled in rapid succession, each 0 to 40 ms after it was asked for',
  times: 10,
  quick: 0,
  unable: needsLinux,
  async open({ folder, random }) {
    const standing = await Standing.start(path.join(folder, 'home'))
    return {
      async attempt() {
        const client = await standing.client()
        const works: Promise<string>[] = []
        for (let run = 0; run < 50; run += 1) {
          const abort = new AbortController()
          works.push(endsWell(runOn(client, demoRun({ ids: longIds.slice(run) }), { signal: abort.signal }), 'run/cancelled', 'lost'))
          await wait(random() * 40)
          abort.abort()
        }
        await Promise.all(works)
        await standing.goesOn()
      },
      close: () => standing.close()
    }
  }
}
