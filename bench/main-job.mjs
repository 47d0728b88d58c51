/**
 * How long the main job takes on the demo model: `splice run` from the shell to its JSON, and a repeated run inside a process.
 *   npm run build && node bench/main-job.mjs
 * Prints medians with minimum and maximum, in ms, beside the limit that each must keep.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProjectNode } from '../scripts/project-node.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const home = mkdtempSync(join(tmpdir(), 'splice-bench-'))
const environment = { ...process.env, SPLICE_HOME: home }
const rounds = 11

function summarise(name, limit, values) {
  const sorted = [...values].sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)]
  const row = [
    name,
    median.toFixed(1),
    sorted[0].toFixed(1),
    sorted.at(-1).toFixed(1),
    String(limit),
    `${((100 * median) / limit).toFixed(0)}%`
  ]
  console.log(`| ${row.join(' | ')} |`)
}

function commandLine() {
  const sae = join(root, 'resources/demo/saes/demo-scope-res/layer_2/width_1k/average_l0_15')
  const started = performance.now()
  const args = ['run', '--model', join(root, 'resources/demo/model'), '--sae', sae, '--prompt', 'Once upon a time', '--json']
  const { status, stderr } = spawnSync(join(root, 'bin/splice'), args, { env: environment })
  if (status !== 0) throw new Error(String(stderr))
  return performance.now() - started
}

function repeatedRuns() {
  const program = `
    import { createEngine } from ${JSON.stringify(join(root, 'src/main/engine/engine.ts'))}
    const engine = await createEngine({ importDemo: true })
    await engine.demoImported
    const { model, saes, prompt } = await engine.client.library.workspace()
    const names = saes.map((sae, index) => ({ name: 'sae' + index, ...sae }))
    const request = {
      model, saes: names, prompt, topFeatures: 12,
      variants: [{ name: 'clean', splices: [] }, ...names.map(({ name }) => ({ name, splices: [{ sae: name, positions: 'no-special' }] }))]
    }
    for (let round = 0; round < ${rounds + 1}; round++) {
      const started = performance.now()
      for await (const event of await engine.client.runs.run(request)) if (event.type === 'result') console.log(performance.now() - started)
    }
    for (let round = 0; round < ${rounds + 1}; round++) {
      const started = performance.now()
      const events = await engine.client.hooks.list({ run: request, variant: 'sae0', against: 'clean' })
      for await (const event of events) if (event.type === 'result') console.log(performance.now() - started)
    }
    await engine.close()`
  const { status, stdout, stderr } = spawnSync(findProjectNode(root), ['--input-type=module', '-e', program], {
    env: environment,
    cwd: root
  })
  if (status !== 0) throw new Error(String(stderr))
  const times = String(stdout).trim().split('\n').map(Number)
  return { run: times.slice(1, rounds + 1), hooks: times.slice(rounds + 2) }
}

try {
  commandLine()
  console.log(`${cpus().length} x ${cpus()[0].model.trim()}, ${rounds} rounds, caches warm\n`)
  console.log('| what | median ms | min | max | limit ms | of limit |\n|---|---|---|---|---|---|')
  summarise('`splice run` on the demo, shell to JSON', 1500, Array.from({ length: rounds }, commandLine))
  const { run, hooks } = repeatedRuns()
  summarise('repeated run of the demo workspace, request to result with explanations', 100, run)
  summarise('its hook points, statistics and differences of two variants, request to table', 200, hooks)
} finally {
  rmSync(home, { recursive: true, force: true })
}
