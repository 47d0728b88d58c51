/** The model's file is cut short or replaced while it is mapped, at random moments of a run: only the inference process may die of it. */
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { demo } from '../../splice-command.ts'
import { type Drill, must, needsLinux } from '../drill.ts'
import { copyModel, demoRun, endsWell, longIds, runOn, Standing } from '../standing.ts'

export const modelDamaged: Drill = {
  name: 'model-damaged',
  fault: "Model's file truncated, or replaced by another, while it is mapped",
  times: 24,
  quick: 0,
  unable: needsLinux,
  async open({ folder, random }) {
    const standing = await Standing.start(path.join(folder, 'home'))
    return {
      async attempt(round) {
        const model = copyModel(folder)
        const file = path.join(model, 'model.safetensors')
        const client = await standing.client()
        await standing.runs(model)
        const damage = () => {
          if (round % 3 === 2) {
            fs.writeFileSync(`${file}.new`, Buffer.alloc(1000))
            fs.renameSync(`${file}.new`, file)
          } else fs.truncateSync(file, Math.floor(fs.statSync(file).size * random()))
        }
        if (round % 2 === 0) damage()
        const kinds = ['inference/died', 'checkpoint/', 'safetensors/']
        const work = endsWell(runOn(client, demoRun({ model, ids: longIds })), ...kinds)
        await wait(random() * 200)
        if (round % 2 === 1) damage()
        await standing.searches()
        const end = await work
        must(round % 2 === 1 || end !== 'done', 'a run on a damaged model gave numbers')
        await endsWell(runOn(client, demoRun({ model })), ...kinds).then(next => must(next !== 'done', 'a damaged model is run'))
        fs.copyFileSync(path.join(demo.model, 'model.safetensors'), file)
        await standing.runs(model)
        await standing.goesOn()
      },
      close: () => standing.close()
    }
  }
}
