/** The home's disk is full: what cannot be written says so, runs and searches go on, and with room again all is as it was. */
import fs from 'node:fs'
import path from 'node:path'
import { type Drill, must, needsRoot } from '../drill.ts'
import { mountSmallDisk } from '../small-disk.ts'
import { demoRun, endsWell, runOn, Standing } from '../standing.ts'

export const diskFull: Drill = {
  name: 'disk-full',
  fault: "The home's disk full (a tmpfs): settings, notes, runs, an import",
  times: 10,
  quick: 0,
  unable: needsRoot,
  async open({ folder }) {
    const disk = mountSmallDisk(path.join(folder, 'disk'), 64)
    const standing = await Standing.start(path.join(disk.folder, 'home'))
    const file = path.join(folder, 'rows.jsonl')
    const rows = 20_000
    const row = (round: number, index: number) =>
      JSON.stringify({
        id: `full-${round}-${index}`,
        modelId: 'drill',
        layer: `full-${round}`,
        index: String(index),
        description: `number ${index}`
      })
    return {
      async attempt(round) {
        const client = await standing.client()
        fs.writeFileSync(file, Array.from({ length: rows }, (_, index) => row(round, index)).join('\n'))
        const importing = async () => {
          for await (const event of await client.explanations.importFiles({ paths: [file] }))
            if (event.type === 'result') return event.result
          throw new Error('no result')
        }
        disk.fill()
        const end = await endsWell(client.engine.changeSettings({ temperature: 0.7 }), 'home/disk')
        must(end === 'home/disk', 'a setting was written to a full disk')
        must((await client.engine.settings()).temperature === 1, 'a setting that was refused is in force')
        const imported = await endsWell(importing(), 'mirror/disk')
        // Later ones may find room in the file, where those before were removed from it.
        must(round > 0 || imported === 'mirror/disk', 'an import was done on a full disk')
        await endsWell(client.notebook.writeNote({ source: 'a/b', index: 1, text: 'x'.repeat(100_000) }), 'notebook/disk')
        // A run has its numbers, kept or not.
        await runOn(client, demoRun())
        await standing.searches()
        disk.free()
        const again = await importing()
        must(again.imported + again.skipped === rows, `the import has ${again.imported + again.skipped} rows, not ${rows}`)
        for await (const event of await client.mirror.check()) {
          if (event.type === 'result')
            must(event.result.problems.length === 0, `the mirror is not whole: ${event.result.problems.join('; ')}`)
        }
        for await (const _ of await client.mirror.remove({ sources: [`drill/full-${round}`], what: 'everything' }));
        await client.notebook.writeNote({ source: 'a/b', index: 1, text: '' })
        await standing.goesOn()
      },
      async close() {
        await standing.close()
        disk.unmount()
      }
    }
  }
}
