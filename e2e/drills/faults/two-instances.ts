/** Two hosts on one home, and the command line beside them, that run, import, and change settings and notes at the same time. */
import fs from 'node:fs'
import path from 'node:path'
import { demo, splice } from '../../splice-command.ts'
import { type Drill, must, needsLinux } from '../drill.ts'
import { type Client, Host } from '../host.ts'
import { demoRun, prompt, runOn, Standing } from '../standing.ts'

const rows = 3000

export const twoInstances: Drill = {
  name: 'two-instances',
  fault: 'Two hosts and a command on one home: runs, imports, settings, notes at the same time',
  times: 8,
  quick: 0,
  unable: needsLinux,
  async open({ folder }) {
    const home = path.join(folder, 'home')
    const standing = await Standing.start(home)
    const other = await Host.start(home)
    return {
      async attempt(round) {
        const [one, two] = [await standing.client(), await other.client()]
        const write = (name: string) => {
          const file = path.join(folder, `${name}.jsonl`)
          const row = (index: number) => ({
            id: `${name}-${round}-${index}`,
            modelId: 'drill',
            layer: `${name}-${round}`,
            index: String(index),
            description: 'd'
          })
          fs.writeFileSync(file, Array.from({ length: rows }, (_, index) => JSON.stringify(row(index))).join('\n'))
          return file
        }
        const importOn = async (client: Client, name: string) => {
          for await (const event of await client.explanations.importFiles({ paths: [write(name)] }))
            if (event.type === 'result') return event.result
          throw new Error('no result')
        }
        const runs = (client: Client) => Promise.all(Array.from({ length: 5 }, () => runOn(client, demoRun())))
        const notes = async (client: Client, source: string) => {
          for (let at = 0; at < 10; at += 1) await client.notebook.writeNote({ source, index: at, text: `round ${round}` })
        }
        const settings = async (client: Client, change: (at: number) => object) => {
          for (let at = 0; at < 10; at += 1) await client.engine.changeSettings(change(at))
        }
        const command = splice(['run', '--model', demo.model, '--prompt', prompt, '--json'], { home })
        const [first, second, ofOne, ofTwo, , , , , ended] = await Promise.all([
          runs(one),
          runs(two),
          importOn(one, 'one'),
          importOn(two, 'two'),
          notes(one, 'one/a'),
          notes(two, 'two/a'),
          settings(one, at => ({ maxNewTokens: 10 + at })),
          settings(two, at => ({ temperature: 0.5 + at / 100 })),
          command
        ])
        must(
          ofOne.imported === rows && ofTwo.imported === rows,
          `imports have ${ofOne.imported} and ${ofTwo.imported} rows, not ${rows} each`
        )
        must(ended.code === 0 && ended.stderr === '', `the command beside them: ${ended.code} ${ended.stderr}`)
        for (const { keptAs } of [...first, ...second]) {
          must(keptAs !== null, 'a run was not kept')
          await one.history.open({ id: keptAs })
          await two.history.open({ id: keptAs })
        }
        for (const client of [one, two]) {
          const marks = await client.notebook.marks({ features: ['one/a', 'two/a'].map(source => ({ source, index: 9 })) })
          must(marks.length === 2 && marks.every(({ note }) => note?.text === `round ${round}`), 'a note is lost')
          const { maxNewTokens, temperature } = await client.engine.settings()
          must(maxNewTokens === 19 && temperature === 0.59, `settings are ${maxNewTokens} and ${temperature}, not 19 and 0.59`)
        }
        for await (const _ of await one.mirror.remove({ sources: [`drill/one-${round}`, `drill/two-${round}`], what: 'everything' }));
        await standing.goesOn()
      },
      async close() {
        await other.close()
        await standing.close()
      }
    }
  }
}
