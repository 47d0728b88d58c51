/** The clock of every process of the host jumps by hours and years, forth and back, in the middle of runs, imports, notes. */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Drill, must, needsLinux } from '../drill.ts'
import { demoRun, longIds, runOn, Standing } from '../standing.ts'

const jumps = [3_600_000, -3_600_000, 366 * 86_400_000, -366 * 86_400_000, 20 * 366 * 86_400_000, -20 * 366 * 86_400_000]

export const clockJumps: Drill = {
  name: 'clock-jumps',
  fault: 'Clock of all processes jumps by an hour, a year, twenty years, forth and back, in runs, imports, notes',
  times: 12,
  quick: 0,
  unable: needsLinux,
  async open({ folder }) {
    const clock = path.join(folder, 'clock')
    const home = path.join(folder, 'home')
    fs.writeFileSync(clock, '0')
    const preload = fileURLToPath(new URL('../clock-preload.mjs', import.meta.url))
    const standing = await Standing.start(home, { SPLICE_DRILL_CLOCK: clock, NODE_OPTIONS: `--import=${preload}` })
    const file = path.join(folder, 'rows.jsonl')
    return {
      async attempt(round) {
        const client = await standing.client()
        const jump = jumps[round % jumps.length] ?? 0
        const before = await runOn(client, demoRun())
        const row = { id: `clock-${round}`, modelId: 'drill', layer: 'clock', index: '1', description: `row ${round}` }
        fs.writeFileSync(file, JSON.stringify(row))
        const running = runOn(client, demoRun({ ids: longIds }), { onProgress: () => fs.writeFileSync(clock, String(jump)) })
        for await (const _ of await client.explanations.importFiles({ paths: [file] }));
        const during = await running
        await client.notebook.writeNote({ source: 'a/b', index: round, text: `note ${round}` })
        must(before.keptAs !== null && during.keptAs !== null, 'a run was not kept')
        for (const id of [before.keptAs, during.keptAs]) await client.history.open({ id })
        await client.history.remove({ ids: [before.keptAs] })
        fs.writeFileSync(clock, '0')
        must((await client.history.restore({ ids: [before.keptAs] })).restored === 1, 'a removed run cannot be brought back')
        await client.history.open({ id: before.keptAs })
        const [marks] = await client.notebook.marks({ features: [{ source: 'a/b', index: round }] })
        must(marks?.note?.text === `note ${round}`, 'a note is lost')
        await standing.goesOn()
      },
      close: () => standing.close()
    }
  }
}
