/** Another process writes to the mirror, the history and the notebook and does not end: who has to write waits and says so, all else goes on. */
import fs from 'node:fs'
import path from 'node:path'
import Sqlite from 'better-sqlite3'
import { type Drill, must, needsLinux } from '../drill.ts'
import { demoRun, endOf, endsWell, runOn, Standing } from '../standing.ts'

export const databaseLocked: Drill = {
  name: 'database-locked',
  fault: 'Mirror, history and notebook locked by another process, longer than anyone waits or for a moment',
  times: 8,
  quick: 0,
  unable: needsLinux,
  async open({ folder }) {
    const home = path.join(folder, 'home')
    const standing = await Standing.start(home)
    const file = path.join(folder, 'rows.jsonl')
    return {
      async attempt(round) {
        const client = await standing.client()
        fs.writeFileSync(
          file,
          JSON.stringify({ id: `locked-${round}`, modelId: 'drill', layer: 'locked', index: '1', description: `row ${round}` })
        )
        const locks = ['mirror.sqlite', 'runs.sqlite', 'notebook.sqlite'].map(name => new Sqlite(path.join(home, name)))
        for (const lock of locks) lock.exec('BEGIN IMMEDIATE')
        const isShort = round % 2 === 1
        const importing = client.explanations.importFiles({ paths: [file] }).then(async events => {
          for await (const _ of events);
        })
        const imported = endsWell(importing, 'mirror/locked')
        const { keptAs } = await runOn(client, demoRun())
        must(keptAs !== null, 'the run has no id')
        const noted = await endOf(client.notebook.writeNote({ source: 'a/b', index: 1, text: `note ${round}` }))
        must('kind' in noted && noted.kind === 'notebook/locked', 'a note was written into a locked notebook')
        const listing = client.history.list({})
        await standing.searches()
        if (isShort) for (const lock of locks) lock.close()
        const end = await imported
        const listed = await endOf(listing)
        if (isShort) {
          must(end === 'done', 'an import that had to wait for a moment was not done')
          must('result' in listed && listed.result.runs.some(({ id }) => id === keptAs), 'a run that had to wait for a moment was not kept')
        } else {
          must(end === 'mirror/locked', `an import into a locked mirror ended with ${end}`)
          for (const lock of locks) lock.close()
        }
        await client.notebook.writeNote({ source: 'a/b', index: 1, text: '' })
        await standing.goesOn()
      },
      close: () => standing.close()
    }
  }
}
