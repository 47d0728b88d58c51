/** The engine is killed at random moments of a run, an import, a download and a change of the settings: another takes its place, what was begun is taken up again. */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { startHubServer } from '../../hub-server.ts'
import { type Drill, must, needsLinux } from '../drill.ts'
import type { Client } from '../host.ts'
import { until } from '../patience.ts'
import { demoRun, endsWell, longIds, runOn, Standing } from '../standing.ts'

const moments = ['run', 'import', 'download', 'settings'] as const
const rows = 40_000

/** Explanations of a source of its own, a JSON line each. */
function writeRows(file: string, source: string): void {
  const row = (index: number) => ({
    id: `${source}-${index}`,
    modelId: 'drill',
    layer: source,
    index: String(index),
    description: `number ${index}`
  })
  fs.writeFileSync(file, Array.from({ length: rows }, (_, index) => JSON.stringify(row(index))).join('\n'))
}

async function importOn(client: Client, file: string): Promise<{ imported: number; skipped: number }> {
  for await (const event of await client.explanations.importFiles({ paths: [file] })) if (event.type === 'result') return event.result
  throw new Error('the import ended without a result')
}

export const engineKilled: Drill = {
  name: 'engine-killed',
  fault: 'Engine killed (SIGKILL) in a run, an import, a download, a change of the settings',
  times: 16,
  quick: 0,
  unable: needsLinux,
  async open({ folder, random }) {
    const content = randomBytes(3_000_000)
    const hub = await startHubServer({
      'drill/model': { commit: 'd'.repeat(40), files: { 'model.safetensors': { bytes: content, lfs: true, misbehaves: { pause: 15 } } } }
    })
    const cache = path.join(folder, 'hub')
    const env = { HF_ENDPOINT: hub.url, HF_HUB_CACHE: cache, HF_TOKEN: '', HF_HUB_OFFLINE: '' }
    const standing = await Standing.start(path.join(folder, 'home'), env)
    let deaths = 0

    async function kill(within: number): Promise<void> {
      await wait(random() * within)
      const { engine } = await standing.host.processes()
      process.kill(engine, 'SIGKILL')
      deaths += 1
      await until(
        () => standing.host.stderr.split('engine restarted').length > deaths,
        () => `no other engine was started: ${standing.host.stderr}`
      )
      must(standing.host.stderr.includes('the engine ended (SIGKILL)'), 'the host does not say that the engine ended')
    }

    const attempts: Record<(typeof moments)[number], (round: number) => Promise<void>> = {
      async run() {
        const work = endsWell(runOn(await standing.client(), demoRun({ ids: longIds })), 'lost', 'engine/gone')
        await kill(400)
        await work
      },
      async import(round) {
        const source = `killed-${round}`
        const file = path.join(folder, `${source}.jsonl`)
        writeRows(file, source)
        const work = endsWell(importOn(await standing.client(), file), 'lost', 'engine/gone')
        await kill(900)
        await work
        const { imported, skipped } = await importOn(await standing.client(), file)
        must(imported + skipped === rows, `the import has ${imported + skipped} rows, not ${rows}`)
        const client = await standing.client()
        const { total } = await client.explanations.count({
          query: 'number',
          mode: 'substring',
          source: `drill/${source}`,
          countFor: 60_000
        })
        must(total === rows, `the mirror has ${total} rows of the import, not ${rows}`)
        for await (const event of await client.mirror.check()) {
          if (event.type === 'result')
            must(event.result.problems.length === 0, `the mirror is not whole: ${event.result.problems.join('; ')}`)
        }
        for await (const _ of await client.mirror.remove({ sources: [`drill/${source}`], what: 'everything' }));
        fs.rmSync(file)
      },
      async download() {
        fs.rmSync(cache, { recursive: true, force: true })
        const asked = { kind: 'repository' as const, repo: 'drill/model', patterns: ['*'] }
        const work = endsWell((await standing.client()).downloads.start(asked), 'lost', 'engine/gone')
        await kill(900)
        await work
        const client = await standing.client()
        await client.downloads.start(asked)
        const file = path.join(cache, 'models--drill--model', 'snapshots', 'd'.repeat(40), 'model.safetensors')
        await until(
          () => fs.existsSync(file),
          () => 'the download was not taken up again',
          60_000
        )
        must(fs.readFileSync(file).equals(content), 'the downloaded file has other bytes')
        for await (const list of await client.downloads.watch()) {
          for (const { id, state } of list) if (state === 'done') await client.downloads.dismiss({ id })
          break
        }
      },
      async settings(round) {
        const client = await standing.client()
        const works = Array.from({ length: 20 }, (_, at) =>
          endsWell(client.engine.changeSettings({ temperature: 0.5 + at / 100 }), 'lost', 'engine/gone')
        )
        await kill(30)
        await Promise.all(works)
        const { temperature } = await (await standing.client()).engine.settings()
        must(temperature === 1 || (temperature >= 0.5 && temperature < 0.7), `the temperature is ${temperature} after round ${round}`)
      }
    }

    return {
      async attempt(round) {
        await attempts[moments[round % moments.length] ?? 'run'](round)
        await standing.goesOn()
        // Deaths within 20 s count against an engine: five end the host, as they should.
        if (deaths % 3 === 0) await wait(20_500)
      },
      async close() {
        await standing.close()
        await hub.close()
      }
    }
  }
}
