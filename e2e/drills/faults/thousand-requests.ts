/** A thousand requests at once, half of them runs: as many as may wait do, the rest is refused in words, and runs and searches go on side by side. */
import path from 'node:path'
import { mostWaiting } from '../../../src/main/engine/process-life.ts'
import { type Drill, must, needsLinux } from '../drill.ts'
import { demoRun, endsWell, runOn, Standing } from '../standing.ts'

const each = 500

export const thousandRequests: Drill = {
  name: 'thousand-requests',
  fault: '1,000 requests at once: 500 runs and 500 searches',
  times: 5,
  quick: 0,
  unable: needsLinux,
  async open({ folder }) {
    const standing = await Standing.start(path.join(folder, 'home'))
    return {
      async attempt() {
        const client = await standing.client()
        const ended: string[] = []
        const runs: Promise<string>[] = []
        const searches: Promise<string>[] = []
        for (let at = 0; at < each; at += 1) {
          runs.push(
            endsWell(runOn(client, demoRun({ ids: [2, 100 + at], keep: false })), 'run/queue-full').finally(() => ended.push('run'))
          )
          const query = 'etaoinshrdlu'[at % 12] ?? 'e'
          searches.push(
            endsWell(client.explanations.count({ query, mode: 'substring' }), 'search/dropped').finally(() => ended.push('search'))
          )
        }
        const [ofRuns, ofSearches] = await Promise.all([Promise.all(runs), Promise.all(searches)])
        const done = (ends: string[]) => ends.filter(end => end === 'done').length
        must(done(ofRuns) >= mostWaiting, `${done(ofRuns)} runs were done, fewer than may wait`)
        must(done(ofSearches) > 0, 'no search was answered')
        // The last one asked for has nothing newer that it could be dropped for.
        must(ofSearches.at(-1) === 'done', 'the newest search was dropped')
        await standing.goesOn()
      },
      close: () => standing.close()
    }
  }
}
