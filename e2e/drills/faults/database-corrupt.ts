/** Files of the home are overwritten, at random places or from their beginning: they are set aside, the host starts, and what was kept is there. */
import fs from 'node:fs'
import path from 'node:path'
import Sqlite from 'better-sqlite3'
import { backupOf } from '../../../src/main/sqlite/backup.ts'
import { type Drill, must, needsLinux } from '../drill.ts'
import { Host } from '../host.ts'
import { until } from '../patience.ts'
import { demoRun, runOn, Standing } from '../standing.ts'

const files = ['runs.sqlite', 'notebook.sqlite', 'mirror.sqlite'] as const

/** Whether a query finds something in a database. */
function isIn(file: string, sql: string, value: string | null): boolean {
  if (!fs.existsSync(file)) return false
  // In memory, where there is no log, so that nothing comes to lie beside it.
  const bytes = fs.readFileSync(file)
  bytes.fill(1, 18, 20)
  const database = new Sqlite(bytes)
  try {
    return database.prepare(sql).get(value) !== undefined
  } finally {
    database.close()
  }
}

export const databaseCorrupt: Drill = {
  name: 'database-corrupt',
  fault: 'History, notebook or mirror overwritten with noise, from the beginning or in the middle',
  times: 18,
  quick: 0,
  unable: needsLinux,
  async open({ folder, random }) {
    const home = path.join(folder, 'home')
    const standing = await Standing.start(home)
    return {
      async attempt(round) {
        const name = files[round % files.length] ?? 'runs.sqlite'
        const file = path.join(home, name)
        const { keptAs } = await runOn(await standing.client(), demoRun())
        await (await standing.client()).history.list({})
        await (await standing.client()).notebook.writeNote({ source: 'a/b', index: 1, text: `note ${round}` })
        await until(
          () => isIn(backupOf(path.join(home, 'runs.sqlite')), 'SELECT 1 FROM runs WHERE id = ?', keptAs),
          () => 'the backup of runs.sqlite has not got the run'
        )
        await until(
          () => isIn(backupOf(path.join(home, 'notebook.sqlite')), 'SELECT 1 FROM notes WHERE text = ?', `note ${round}`),
          () => 'the backup of notebook.sqlite has not got the note'
        )
        await standing.close()
        const isHead = round % 2 === 0 || name === 'mirror.sqlite'
        // What is in the log alone would hide the noise.
        const database = new Sqlite(file)
        database.pragma('wal_checkpoint(TRUNCATE)')
        database.close()
        const bytes = fs.readFileSync(file)
        const start = isHead ? 0 : 4096 + Math.floor(random() * Math.max(1, bytes.length - 8192))
        for (let at = start; at < Math.min(bytes.length, start + 4096); at += 1) bytes[at] = Math.floor(random() * 256)
        fs.writeFileSync(file, bytes)

        standing.host = await Host.start(home)
        const client = await standing.client()
        const notices: string[] = []
        const listening = new AbortController()
        const heard = client.engine.watch(undefined, { signal: listening.signal }).then(async events => {
          for await (const event of events) if (event.type === 'notice') notices.push(event.notice.message)
        })
        heard.catch(() => undefined)
        // Each file is opened when it is first asked for.
        const runs = await client.history.list({ limit: 200 })
        for (const { id } of runs.runs) await client.history.open({ id })
        await client.notebook.entries({ query: '' })
        if (name === 'mirror.sqlite') {
          await until(
            async () => (await client.explanations.sources()).some(source => source.statistics > 0),
            () => 'the demo was not imported again',
            60_000
          )
        }
        if (isHead) {
          await until(
            () => notices.some(message => message.includes(`${name}.broken-`)),
            () => `nothing is said of ${name}: ${notices.join('; ')}`
          )
          must(
            fs.readdirSync(home).some(entry => entry.startsWith(`${name}.broken-`)),
            'the broken file was not set aside'
          )
        }
        must(
          runs.runs.some(({ id }) => id === keptAs),
          'a run was lost'
        )
        const [marks] = await client.notebook.marks({ features: [{ source: 'a/b', index: 1 }] })
        must(marks?.note?.text === `note ${round}`, 'a note was lost')
        listening.abort()
        await standing.goesOn()
      },
      close: () => standing.close()
    }
  }
}
