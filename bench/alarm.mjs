/**
 * How often the wrong-tensor alarm is raised over prompts of some lengths: for the demo's SAEs where they belong, and at other hook points.
 *   npm run build && node bench/alarm.mjs
 * The prompts are pieces of the passages below, BOS in front; the alarm's own least length is put aside. docs/wrong-tensor.md has the figures.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProjectNode } from '../scripts/project-node.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const home = mkdtempSync(join(tmpdir(), 'splice-bench-'))
const source = path => JSON.stringify(join(root, 'src', path))

const passages = [
  'First, slice the garlic and put it in a small bowl. Heat the cream in an oven over a low flame. Cut the mushroom into small pieces. Taste the sauce and add more salt. Stir the pie slowly until it is silver and thick. Peel the carrot and add it to the bowl.',
  'The forecast for Thursday is stormy with some fog. The coldest winter since 1944 ended in August. Expect hail in the evening and temperatures near 57 degrees. There is a 41 percent chance of mist. A rainbow appeared over the east after the storm.',
  'Jill threw the ball to Jack. Jack threw the ball to Will. Will threw the ball back to Jill. The dog ran after it and brought it to the girl by the river.',
  'There was once an old man who lived alone in a house on the hill. One day a bird came to his window and asked for some bread. He gave it a piece of cake, and the bird sang for him all night. In the morning he found a gold ring on the table.',
  'The doctor told the patient to take the medicine twice a day. A fever and a sore throat are common in winter. If the pain does not stop, call the hospital. The nurse cleaned the wound and put a bandage on the arm.'
]

const program = `
  import { join } from 'node:path'
  import { createEngine } from ${source('main/engine/engine.ts')}
  import { alarmOf, fewestPositions } from ${source('main/engine/sae-check/alarm.ts')}
  import { checkText } from ${source('contract/check-text.ts')}
  const demo = ${JSON.stringify(join(root, 'resources/demo'))}
  const model = join(demo, 'model')
  const engine = await createEngine()
  const ids = []
  for (const text of [checkText, ...${JSON.stringify(passages)}]) {
    ids.push(...(await engine.client.runs.tokenize({ model, text, prependBos: false })).tokens.map(({ id }) => id))
  }
  const hooks = ['blocks.1.hook_resid_post', 'blocks.2.hook_resid_mid', 'blocks.2.hook_mlp_out', 'blocks.2.attn.hook_z']
  const saes = await engine.client.library.findSaes({ path: join(demo, 'saes') })
  const isRaised = async (path, hook, piece) => {
    const request = { model, saes: [{ name: 'sae', path, hook }], prompt: { ids: [2, ...piece] }, variants: [{ name: 'clean', splices: [] }], topFeatures: 0 }
    for await (const event of await engine.client.runs.run(request)) {
      if (event.type !== 'result') continue
      const [{ byVariant, published }] = event.result.saes
      return alarmOf({ ...byVariant.clean, positions: Math.max(byVariant.clean.positions, fewestPositions) }, published) !== null
    }
  }
  console.log(ids.length + ' tokens, ' + saes.length + ' SAEs')
  for (const length of [24, 48, 96]) {
    const home = [], away = []
    for (let start = 0; start + length <= ids.length; start += length) {
      const piece = ids.slice(start, start + length)
      for (const { path, hook } of saes) {
        home.push(await isRaised(path, hook, piece))
        for (const other of hooks) if (other !== hook) away.push(await isRaised(path, other, piece))
      }
    }
    const share = raised => raised.filter(Boolean).length + ' of ' + raised.length
    console.log('| ' + [length, share(home), share(away)].join(' | ') + ' |')
  }
  await engine.close()
`

try {
  const { status } = spawnSync(findProjectNode(root), ['--input-type=module', '-e', program], {
    env: { ...process.env, SPLICE_HOME: home },
    stdio: 'inherit'
  })
  process.exitCode = status ?? 1
} finally {
  rmSync(home, { recursive: true, force: true })
}
