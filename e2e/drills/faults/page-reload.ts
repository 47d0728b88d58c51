/** A page goes away in the middle of a run, a continuation, a search: its work is cancelled, and nothing of it stays. */
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { demo } from '../../splice-command.ts'
import { type Drill, must, needsLinux } from '../drill.ts'
import { until } from '../patience.ts'
import { demoRun, longIds, Standing } from '../standing.ts'

export const pageReload: Drill = {
  name: 'page-reload',
  fault: 'Page reloaded (its connection broken) in the middle of runs, continuations and searches',
  times: 40,
  quick: 0,
  unable: needsLinux,
  async open({ folder, random }) {
    const standing = await Standing.start(path.join(folder, 'home'))
    return {
      async attempt() {
        const client = await standing.client()
        const { total } = await client.history.list({})
        const page = await standing.host.connect()
        const works = [
          page.client.runs.run(demoRun({ ids: longIds })).then(drain),
          page.client.runs
            .generate({ model: demo.model, prompt: { text: 'Once' }, variants: [{ name: 'clean', splices: [] }], maxNewTokens: 400 })
            .then(drain),
          page.client.runs.run(demoRun({ ids: longIds.slice(1) })).then(drain),
          page.client.explanations.search({ query: 'e', mode: 'substring' }),
          page.client.engine.watch().then(drain)
        ]
        for (const work of works) work.catch(() => undefined)
        await wait(20 + random() * 150)
        page.close()
        await until(
          async () => (await client.engine.status()).inference === 'ready',
          () => 'what the page had asked for goes on without it',
          5000
        )
        must((await client.history.list({})).total <= total + 2, 'a run that nobody waits for was kept')
        await standing.goesOn()
      },
      close: () => standing.close()
    }
  }
}

async function drain(events: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of events);
}
