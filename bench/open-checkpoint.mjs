/**
 * What opening a large checkpoint costs: its folder read from headers, its tensors listed, its memory estimated.
 *   node bench/open-checkpoint.mjs
 * The checkpoint has Gemma-2-2b's shape in float32, 10 GB in three shards, and is sparse: headers are written, weights are holes.
 * Every cold figure is a process's first call, after the kernel was told to forget the files (dd with nocache); code is loaded before.
 * Prints medians with minimum and maximum, in ms, the bytes read, and the most anonymous memory above what the process had before.
 * Bytes and memory come from /proc and are there on Linux alone.
 */
import { spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findProjectNode } from '../scripts/project-node.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'splice-bench-'))
const rounds = 9
const limit = 100

const config = {
  architectures: ['Gemma2ForCausalLM'],
  model_type: 'gemma2',
  vocab_size: 256000,
  hidden_size: 2304,
  intermediate_size: 9216,
  num_hidden_layers: 26,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  head_dim: 256,
  max_position_embeddings: 8192,
  sliding_window: 4096,
  query_pre_attn_scalar: 256,
  torch_dtype: 'float32'
}

/** Names and shapes of a layer's tensors, as transformers stores them. */
function layerTensors(layer) {
  const { hidden_size: d, intermediate_size: mlp, num_attention_heads: heads, num_key_value_heads: keys, head_dim: head } = config
  const shapes = {
    'input_layernorm.weight': [d],
    'mlp.down_proj.weight': [d, mlp],
    'mlp.gate_proj.weight': [mlp, d],
    'mlp.up_proj.weight': [mlp, d],
    'post_attention_layernorm.weight': [d],
    'post_feedforward_layernorm.weight': [d],
    'pre_feedforward_layernorm.weight': [d],
    'self_attn.k_proj.weight': [keys * head, d],
    'self_attn.o_proj.weight': [d, heads * head],
    'self_attn.q_proj.weight': [heads * head, d],
    'self_attn.v_proj.weight': [keys * head, d]
  }
  return Object.entries(shapes).map(([name, shape]) => [`model.layers.${layer}.${name}`, shape])
}

/** Writes the header and gives the file its length; no weight is written. */
function writeShard(name, tensors) {
  const header = {}
  let end = 0
  for (const [tensor, shape] of tensors) {
    const start = end
    end += 4 * shape.reduce((product, size) => product * size, 1)
    header[tensor] = { dtype: 'F32', shape, data_offsets: [start, end] }
  }
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const file = openSync(join(folder, name), 'w')
  writeSync(file, length)
  writeSync(file, text)
  ftruncateSync(file, 8 + text.length + end)
  // What is not on the disk yet cannot be put out of the page cache.
  fsyncSync(file)
  closeSync(file)
  return 8 + text.length + end
}

function writeCheckpoint() {
  const layers = Array.from({ length: config.num_hidden_layers }, (_, layer) => layerTensors(layer))
  const shards = [
    [['model.embed_tokens.weight', [config.vocab_size, config.hidden_size]], ...layers.slice(0, 8).flat()],
    layers.slice(8, 19).flat(),
    [...layers.slice(19).flat(), ['model.norm.weight', [config.hidden_size]]]
  ]
  const names = shards.map((_, index) => `model-0000${index + 1}-of-0000${shards.length}.safetensors`)
  const bytes = shards.reduce((sum, tensors, index) => sum + writeShard(names[index], tensors), 0)
  const map = Object.fromEntries(shards.flatMap((tensors, index) => tensors.map(([tensor]) => [tensor, names[index]])))
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: { total_size: bytes }, weight_map: map }, null, 2))
  return { bytes, tensors: Object.keys(map).length }
}

const works = {
  openModel: `
    const { openModel } = await load('transformer/model.ts')
    const { describeModel } = await load('library/summaries.ts')
    const work = async () => describeModel(await openModel(folder)).memoryEstimateBytes`,
  inspect: `
    const { inspect } = await load('library/inspect.ts')
    const work = async () => { const found = await inspect(folder); return found.tensors.length * found.model.memoryEstimateBytes }`
}

/** The program of one process: waits to be told to start, then measures a cold call and warm ones. */
const program = work => `
  import { readFileSync } from 'node:fs'
  const folder = ${JSON.stringify(folder)}
  const load = file => import(${JSON.stringify(join(root, 'src/main/'))} + file)
  const bytesRead = () => { try { return Number(/rchar: (\\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))[1]) } catch { return NaN } }
  ${works[work]}
  const own = bytesRead()
  const ownCost = bytesRead() - own
  console.log('ready')
  await new Promise(resolve => process.stdin.once('data', resolve))
  const times = []
  const before = bytesRead()
  let read = NaN
  for (let round = 0; round < 6; round++) {
    const started = performance.now()
    if (!(await work() > 0)) throw new Error('nothing was estimated')
    times.push(performance.now() - started)
    if (round === 0) read = bytesRead() - before - ownCost
  }
  console.log(JSON.stringify({ times, read }))
  process.exit()`

function forgetFiles() {
  for (const name of readdirSync(folder)) {
    const { status, stderr } = spawnSync('dd', [`if=${join(folder, name)}`, 'iflag=nocache', 'count=0', 'status=none'])
    if (status !== 0) throw new Error(`the files cannot be put out of the page cache: ${stderr}`)
  }
}

/** Anonymous memory of a process in bytes; NaN where /proc does not say it. */
function anonymous(pid) {
  try {
    return 1024 * Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN)
  } catch {
    return Number.NaN
  }
}

/** One process: {cold, warm: [ms], read, grown} */
async function measure(work) {
  const child = spawn(findProjectNode(root), ['--input-type=module', '-e', program(work)], {
    cwd: root,
    stdio: ['pipe', 'pipe', 'inherit']
  })
  let text = ''
  let before = 0
  let most = 0
  let sampling
  child.stdout.setEncoding('utf8').on('data', chunk => {
    text += chunk
    if (sampling !== undefined || !text.startsWith('ready\n')) return
    forgetFiles()
    before = anonymous(child.pid)
    most = before
    sampling = setInterval(() => {
      most = Math.max(most, anonymous(child.pid) || 0)
    }, 1)
    child.stdin.write('go\n')
  })
  const status = await new Promise(resolve => child.on('close', resolve))
  clearInterval(sampling)
  if (status !== 0) throw new Error(`${work} ended with ${status}`)
  const { times, read } = JSON.parse(text.slice('ready\n'.length))
  return { cold: times[0], warm: times.slice(1), read, grown: most - before }
}

function row(name, values) {
  const sorted = [...values].sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)]
  console.log(
    `| ${name} | ${median.toFixed(1)} | ${sorted[0].toFixed(1)} | ${sorted.at(-1).toFixed(1)} | ${limit} | ${((100 * median) / limit).toFixed(0)}% |`
  )
  return median
}

try {
  const { bytes, tensors } = writeCheckpoint()
  console.log(`${cpus().length} x ${cpus()[0].model.trim()}, ${rounds} processes, ${(bytes / 1e9).toFixed(2)} GB, ${tensors} tensors\n`)
  console.log('| what | median ms | min | max | limit ms | of limit |\n|---|---|---|---|---|---|')
  const facts = []
  for (const work of Object.keys(works)) {
    const found = []
    for (let round = 0; round < rounds; round++) found.push(await measure(work))
    row(
      `${work}, cold`,
      found.map(({ cold }) => cold)
    )
    row(
      `${work}, warm`,
      found.flatMap(({ warm }) => warm)
    )
    const read = Math.max(...found.map(one => one.read))
    const grown = Math.max(...found.map(one => one.grown))
    facts.push(`${work}: ${(read / 1e3).toFixed(0)} kB read, at most ${(grown / 1e6).toFixed(0)} MB of anonymous memory more than before`)
  }
  console.log(`\n${facts.join('\n')}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
