/** The inference process is given a real limit of memory in the middle of its life, and then a long run to do. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { type Drill, needsLinux } from '../drill.ts'
import { mappedBytes } from '../processes.ts'
import { demoRun, endsWell, longIds, runOn, Standing } from '../standing.ts'

const prlimit = '/usr/bin/prlimit'

function limit(id: number, bytes: string): void {
  execFileSync(prlimit, [`--pid=${id}`, `--as=${bytes}`], { stdio: 'ignore' })
}

export const inferenceOutOfMemory: Drill = {
  name: 'inference-out-of-memory',
  fault: 'Inference process out of memory (RLIMIT_AS set to what it has and a little more) in a run',
  times: 12,
  quick: 0,
  unable: () => needsLinux() ?? (fs.existsSync(prlimit) ? null : `it sets a limit with ${prlimit}, which is not here`),
  async open({ folder, random }) {
    const standing = await Standing.start(path.join(folder, 'home'))
    return {
      async attempt(round) {
        const { inference } = await standing.host.processes()
        limit(inference, String(Math.round(mappedBytes(inference) + random() * 24e6)))
        // Another shape each time, so that buffers are new.
        const ids = longIds.slice(0, 300 + 15 * (round % 13))
        await endsWell(runOn(await standing.client(), demoRun({ ids })), 'inference/died', 'inference/memory')
        try {
          // It had enough where the run was done.
          limit(inference, 'unlimited')
        } catch {
          // Another one has taken its place.
        }
        await standing.goesOn()
      },
      close: () => standing.close()
    }
  }
}
